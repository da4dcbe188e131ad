/**
 * Takes the pictures of the README from a running service: `node scripts/screenshots.mjs http://127.0.0.1:8080 [WELL]`.
 * Without WELL the first well of the fleet is shown.
 */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const [url = 'http://127.0.0.1:8080', wanted] = process.argv.slice(2);
const directory = fileURLToPath(new URL('../docs/images', import.meta.url));
const SETTLED_MS = 2500;

const { devices } = await (await fetch(`${url}/v1/devices?limit=1`)).json();
const well = wanted ?? devices[0]?.device_id;
if (well === undefined) {
  process.stderr.write(`The service at ${url} has no wells to show: start it with some (DOWNHOLE_SIMULATOR_WELLS).\n`);
  process.exit(1);
}

mkdirSync(directory, { recursive: true });
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
});
for (const colorScheme of ['light', 'dark']) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 800 }, colorScheme, timezoneId: 'UTC' });
  for (const [name, path] of [
    ['fleet', '/?curve=intake_pressure'],
    ['well', `/wells/${encodeURIComponent(well)}?range=24h`],
  ]) {
    await page.goto(url + path);
    await page.locator('table, .channel').first().waitFor();
    await page.waitForTimeout(SETTLED_MS);
    await page.screenshot({ path: `${directory}/${name}-${colorScheme}.png` });
  }
  await page.close();
}
await browser.close();
process.stdout.write(`${directory}\n`);
