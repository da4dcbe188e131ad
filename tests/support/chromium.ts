/** A real browser for the end-to-end tests: the system's Chromium, headless, talking to nobody but the test. */
import { chromium, type Browser } from 'playwright-core';
import { ensureDebianPackages } from './debian-packages.js';

const EXECUTABLE = '/usr/bin/chromium';

/** Starts Chromium; installs the system's package where the machine has none. */
export async function launchChromium(): Promise<Browser> {
  ensureDebianPackages(['chromium']);
  return chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
