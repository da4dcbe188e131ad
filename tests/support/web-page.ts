/** The page as it is built, and a browser that shows it and complains of whatever a person would not see. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';
import { createTemporaryDirectory, type TemporaryDirectory } from './temporary-directory.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Builds the page into a directory of its own, so that test files do not build over each other's pages. */
export function buildWebPage(): TemporaryDirectory {
  const directory = createTemporaryDirectory('web');
  const vite = ['node_modules/vite/bin/vite.js', 'build', 'web', '--outDir', directory.path, '--logLevel', 'warn'];
  execFileSync(process.execPath, vite, { cwd: ROOT });
  return directory;
}

export interface Visit {
  readonly page: Page;
  /** Errors of the console, refused resources, failed requests: there are to be none. */
  readonly complaints: string[];
}

/** Opens a page of the server in a browser profile of its own, which the end of the test closes. */
export async function visitPage(
  browser: Browser,
  serverUrl: string,
  path: string,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<Visit> {
  const context: BrowserContext = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    reducedMotion: 'reduce',
    ...options,
  });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    if (!request.url().startsWith(serverUrl) && !request.url().startsWith('data:')) complaints.push(request.url());
  });
  await page.goto(serverUrl + path);
  return { page, complaints };
}

/** What the page shows has no barrier that axe can find. */
export async function expectNoBarrier(page: Page): Promise<void> {
  await page.evaluate(AXE);
  expect(await page.evaluate('axe.run().then((results) => results.violations)')).toEqual([]);
}

/** How far the page is wider than its window, pixels. */
export const overhangOf = (page: Page): Promise<number> =>
  page.evaluate<number>('document.documentElement.scrollWidth - window.innerWidth');
