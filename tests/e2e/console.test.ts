/** The console as a person has it: a browser, the page as it is built, and wells with data in a real database. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Series } from '../../src/console/api-schemas.js';
import { launchChromium } from '../support/chromium.js';
import {
  ago,
  type ConsoleServer,
  insertReadings,
  refreshAggregates,
  startConsoleServer,
} from '../support/console-server.js';
import type { TemporaryDirectory } from '../support/temporary-directory.js';
import { buildWebPage, expectNoBarrier, overhangOf, type Visit, visitPage } from '../support/web-page.js';

const HOUR = 3600;
const DAY = 24 * HOUR;

let web: TemporaryDirectory;
let server: ConsoleServer;
let browser: Browser;

beforeAll(async () => {
  web = buildWebPage();
  server = await startConsoleServer({ webRoot: web.path });
  const { database } = server;
  await insertReadings(database, {
    deviceId: 'P-01',
    from: ago(3 * DAY),
    to: ago(1),
    everySeconds: 10,
    anomalyEvery: 300,
  });
  await refreshAggregates(database, ago(4 * DAY), ago(DAY));
  await insertReadings(database, { deviceId: 'P-02', from: ago(HOUR), to: ago(1), everySeconds: 20, state: 1 });
  await insertReadings(database, {
    deviceId: 'P-03',
    from: ago(HOUR),
    to: ago(1),
    everySeconds: 20,
    anomalyEvery: 1,
    drive: false,
  });
  await insertReadings(database, { deviceId: 'gap', from: ago(HOUR), to: ago(2400), everySeconds: 20 });
  await insertReadings(database, { deviceId: 'gap', from: ago(1200), to: ago(1), everySeconds: 20 });
  await insertReadings(database, {
    deviceId: 'import',
    from: '2020-03-09T10:14:33Z',
    to: '2020-03-09T10:34:33Z',
    everySeconds: 1,
    drive: false,
  });
  await database.script(`
    INSERT INTO ledger (device_id, hour, stored, merged, duplicate, dead_lettered, rejected, last_at) VALUES
      ('P-01', date_trunc('hour', now()), 1200, 3, 4, 0, 0, now()),
      ('P-02', date_trunc('hour', now()), 100, 0, 0, 5, 6, now()),
      ('P-02', date_trunc('hour', now()) - interval '2 hours', 10, 0, 0, 0, 1, now() - interval '2 hours'),
      ('P-02', date_trunc('hour', now()) - interval '25 hours', 1, 0, 0, 0, 1000, now() - interval '25 hours'),
      ('', date_trunc('hour', now()), 0, 0, 0, 0, 7, NULL)`);
  browser = await launchChromium();
});

afterAll(async () => {
  await browser.close();
  await server.close();
  await web.remove();
});

const visit = (path: string, options?: Parameters<Browser['newContext']>[0]): Promise<Visit> =>
  visitPage(browser, server.url, path, options);

const badge = (page: Page) => page.locator('.badge');
const openWell = async (path: string): Promise<Visit> => {
  const visited = await visit(path);
  await badge(visited.page).waitFor();
  return visited;
};

describe('fleet', () => {
  test('shows every well with state, values and curve, and says nothing it should not', async () => {
    const { page, complaints } = await visit('/');
    await page.getByRole('row').nth(5).waitFor();
    expect(await page.locator('tbody tr').count()).toBe(5);
    const row = page.getByRole('row', { name: /P-01/ });
    expect(await row.textContent()).toContain('Running');
    expect(await page.getByRole('row', { name: /P-02/ }).textContent()).toContain('Off');
    expect(await page.getByRole('row', { name: /P-03/ }).textContent()).toContain('Anomaly');
    expect(await page.getByRole('row', { name: /import/ }).textContent()).toMatch(/Silent.*y ago/);
    await row.getByRole('img', { name: /Intake temperature, last 6 h: \d/ }).waitFor();
    expect(complaints).toEqual([]);
  });

  test('filters and sorts, keeps both in the address, and keeps focus and scroll while it is live', async () => {
    const { page } = await visit('/');
    const filter = page.getByRole('searchbox');
    await filter.fill('p-0');
    await expect.poll(() => page.locator('tbody tr').count()).toBe(3);
    await page.getByRole('button', { name: /^Rate/ }).click();
    await expect.poll(() => page.locator('th[aria-sort="ascending"]').textContent()).toContain('Rate');
    await expect.poll(() => page.locator('tbody tr').first().textContent()).toContain('P-02');
    expect(page.url()).toContain('q=p-0');
    await filter.focus();
    await page.waitForResponse((response) => response.url().includes('/v1/devices'));
    expect(await page.evaluate(`document.activeElement?.getAttribute('type')`)).toBe('search');
    await page.reload();
    await expect.poll(() => page.locator('tbody tr').first().textContent()).toContain('P-02');
    await page
      .getByRole('button', { name: /Anomaly/ })
      .first()
      .click();
    await expect.poll(() => page.locator('tbody tr').count()).toBe(1);
  });

  test('leads to a well and back to where it was', async () => {
    const { page } = await visit('/?sort=-quality');
    await page.getByRole('link', { name: 'P-01' }).click();
    await page.getByRole('heading', { level: 1, name: 'P-01' }).waitFor();
    expect(await page.title()).toContain('P-01');
    await page.goBack();
    await page.getByRole('row', { name: /P-01/ }).waitFor();
    expect(page.url()).toContain('sort=-quality');
  });

  test('says that the service is away, keeps what it has, and recovers', async () => {
    const { page } = await visit('/');
    await page.getByRole('row', { name: /P-01/ }).waitFor();
    await page.route('**/v1/**', (route) => route.abort());
    await page.getByText('The service does not answer').waitFor();
    expect(await page.locator('tbody tr').count()).toBe(5);
    await page.unroute('**/v1/**');
    await page.getByText('The service does not answer').waitFor({ state: 'hidden' });
  });
});

describe('the quality page', () => {
  test('leads from the fleet to a well, to what is wrong with it, and to the records', async () => {
    const { page } = await visit('/quality?hours=1');
    await page.getByRole('link', { name: 'P-03' }).click();
    await page.getByRole('heading', { level: 1, name: 'Data quality of P-03' }).waitFor();
    await page.getByRole('button', { name: 'Anomaly' }).click();
    await page.getByRole('heading', { name: 'Anomaly: the newest records' }).waitFor();
    await expect.poll(() => page.getByRole('region', { name: 'Records' }).locator('tbody tr').count()).toBe(50);
    await page.goBack();
    await page.goBack();
    await page.getByRole('heading', { level: 1, name: 'Data quality', exact: true }).waitFor();
  });

  test('shows when a well was silent', async () => {
    const { page } = await visit('/quality?device=gap&hours=1');
    const gaps = page.getByRole('region', { name: 'Gaps' });
    await gaps.getByRole('row', { name: /20 min/ }).waitFor();
  });
});

describe('the pipeline page', () => {
  test('says where the data of the last 24 hours went, wells with losses first', async () => {
    const { page, complaints } = await visit('/pipeline');
    const table = page.getByRole('region', { name: /What became of the records/ });
    await table.getByText('P-02').waitFor();
    const rows = await table.locator('tbody tr').allInnerTexts();
    expect(rows.map((row) => row.split(/\s*\t\s*/).slice(0, 7))).toEqual([
      ['All wells', '1,336', '1,310', '3', '4', '5', '14'],
      ['P-02', '122', '110', '0', '0', '5', '7'],
      ['unknown device', '7', '0', '0', '0', '0', '7'],
      ['P-01', '1,207', '1,200', '3', '4', '0', '0'],
    ]);
    await table.getByRole('link', { name: 'P-02' }).click();
    await page.waitForURL('**/wells/P-02');
    expect(complaints).toEqual([]);
  });
});

describe('well', () => {
  test('draws all channels on one time axis, from readings to aggregates as the range grows', async () => {
    const { page, complaints } = await openWell('/wells/P-01');
    expect(await page.locator('.channel').count()).toBe(9);
    expect(await badge(page).getAttribute('data-source')).toBe('raw');
    await page.getByRole('button', { name: '30 d' }).click();
    await expect.poll(() => badge(page).getAttribute('data-source')).toBe('1hour');
    await page.getByRole('button', { name: '7 d' }).click();
    await expect.poll(() => badge(page).getAttribute('data-source')).toBe('1min');
    expect(page.url()).toContain('range=7d');
    await page.goBack();
    await expect.poll(() => badge(page).getAttribute('data-source')).toBe('1hour');
    expect(complaints).toEqual([]);
  });

  test('zooms where one drags, in every chart at once', async () => {
    const { page } = await openWell('/wells/P-01?range=30d');
    const box = await page.locator('.channel .u-over').nth(2).boundingBox();
    if (box === null) throw new Error('no chart');
    await page.mouse.move(box.x + box.width * 0.92, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.95, box.y + 40, { steps: 4 });
    await page.mouse.up();
    await expect.poll(() => page.url()).toMatch(/from=.*to=/);
    await expect.poll(() => badge(page).getAttribute('data-source')).toBe('raw');
    const parameters = new URL(page.url()).searchParams;
    const seconds = (Date.parse(parameters.get('to') ?? '') - Date.parse(parameters.get('from') ?? '')) / 1000;
    expect(seconds / (30 * DAY * 0.03)).toBeCloseTo(1, 1);
    await page.goBack();
    await expect.poll(() => page.url()).toContain('range=30d');
  });

  test('is worked by keyboard: pan, zoom, back to the last hour', async () => {
    const { page } = await openWell('/wells/P-01?range=6h');
    await page.keyboard.press('ArrowLeft');
    await expect.poll(() => page.url()).toContain('from=');
    await expect.poll(() => page.getByRole('button', { name: 'Live' }).getAttribute('aria-pressed')).toBe('false');
    const span = (): number => {
      const parameters = new URL(page.url()).searchParams;
      return Date.parse(parameters.get('to') ?? '') - Date.parse(parameters.get('from') ?? '');
    };
    const before = span();
    await page.keyboard.press('+');
    await expect.poll(span).toBe(before / 2);
    await page.keyboard.press('-');
    await page.keyboard.press('-');
    await expect.poll(span).toBe(before * 2);
    await page.keyboard.press('Escape');
    await expect.poll(() => new URL(page.url()).search).toBe('');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement?.tagName')).not.toBe('BODY');
  });

  test('has beside each chart a table with the figures of the API', async () => {
    const { page } = await openWell('/wells/import?from=2020-03-09T10:20:00.000Z&to=2020-03-09T10:21:00.000Z');
    const answer = (await (
      await fetch(
        `${server.url}/v1/devices/import/series?from=2020-03-09T10:20:00Z&to=2020-03-09T10:21:00Z&points=1200`,
      )
    ).json()) as Series;
    await page.getByRole('button', { name: 'Table of Intake temperature' }).click();
    const table = page.getByRole('region', { name: 'Table of Intake temperature' });
    const shown = await table.locator('tbody tr td:nth-child(2)').allTextContents();
    const wanted = (answer.channels['temperature']?.avg ?? []).map((value) => Number(value).toFixed(1)).reverse();
    expect(shown).toEqual(wanted);
    expect(page.url()).toContain('tables=temperature');
    const figures = await page.locator('.channel').first().locator('.figures').textContent();
    expect(figures).toContain(Math.max(...(answer.channels['temperature']?.avg ?? []).map(Number)).toFixed(1));
  });

  test('shows the end of an old import instead of an empty now, and all of it on demand', async () => {
    const { page } = await openWell('/wells/import');
    await page.getByText('this is the end of what there is').waitFor();
    expect(await page.locator('.source-line').textContent()).toContain('Mar 2020');
    await page.getByRole('button', { name: 'All', exact: true }).click();
    await expect.poll(() => page.locator('.source-line').textContent()).toMatch(/1,201 records/);
  });

  test('reads the values under the cursor from all charts', async () => {
    const { page } = await openWell('/wells/P-01');
    await page
      .locator('.channel .u-over')
      .first()
      .hover({ position: { x: 300, y: 40 } });
    await expect.poll(() => page.locator('.ruler-head').textContent()).toMatch(/\d\d:\d\d:\d\d/);
  });

  test('says what is wrong with a well that does not exist', async () => {
    const { page } = await visit('/wells/nobody');
    await page.getByText('is not known').waitFor();
  });
});

/** Which pixel columns of the first chart have colour: right of the value axis only the curve does, the grid is grey. */
const COLOURED_COLUMNS = `(() => {
  const canvas = document.querySelector('.channel canvas');
  const { data, width, height } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const coloured = new Array(width).fill(false);
  for (let at = 0; at < width * height; at++) {
    const [red, green, blue, alpha] = data.subarray(at * 4, at * 4 + 4);
    const saturated = Math.max(red, green, blue) - Math.min(red, green, blue) > 90;
    if (at % width >= 70 && alpha > 128 && saturated) coloured[at % width] = true;
  }
  return coloured;
})()`;

test('a gap in the data is a gap in the curve', async () => {
  const { page } = await openWell('/wells/gap');
  const columns = await page.evaluate<boolean[]>(COLOURED_COLUMNS);
  const first = columns.indexOf(true);
  const last = columns.lastIndexOf(true);
  const empty = columns.slice(first, last).filter((coloured) => !coloured).length;
  // Twenty of sixty minutes.
  expect(empty / (last - first)).toBeGreaterThan(0.28);
  expect(empty / (last - first)).toBeLessThan(0.4);
});

describe.each(['light', 'dark'] as const)('in %s', (colorScheme) => {
  test.each([
    '/',
    '/wells/P-01?range=7d&tables=temperature',
    '/quality',
    '/quality?device=P-03&problem=anomaly',
    '/pipeline',
    '/nowhere',
  ])('%s has no barrier that axe can find', async (path) => {
    const { page, complaints } = await visit(path, { colorScheme });
    await page.locator('table, .badge, .empty a').first().waitFor();
    await expectNoBarrier(page);
    expect(complaints.filter((text) => !text.includes('404'))).toEqual([]);
  });
});

test.each([360, 1440])('no page is wider than %i pixels', async (width) => {
  const { page } = await visit('/', { viewport: { width, height: 800 } });
  for (const path of ['/', '/wells/P-01', '/quality', '/quality?device=P-03&problem=anomaly', '/pipeline']) {
    await page.goto(server.url + path);
    await page.locator('table, .badge').first().waitFor();
    expect(await overhangOf(page), path).toBeLessThanOrEqual(0);
  }
});

test('the page comes with a policy, unchanging assets, and nothing for paths that are not there', async () => {
  const index = await fetch(`${server.url}/wells/whatever%2Fit/is`);
  expect(index.headers.get('content-type')).toContain('text/html');
  expect(index.headers.get('cache-control')).toBe('no-cache');
  expect(index.headers.get('content-security-policy')).toContain("default-src 'self'");
  const asset = /\/assets\/[\w.-]+\.js/.exec(await index.text())?.[0];
  expect((await fetch(server.url + asset)).headers.get('cache-control')).toContain('immutable');
  expect((await fetch(`${server.url}/v1/nowhere`)).status).toBe(404);
  expect((await fetch(`${server.url}/assets/nowhere.js`)).status).toBe(404);
});
