/** Episodes at the page: found, opened, acknowledged, annotated and closed by a person with a browser. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { launchChromium } from '../support/chromium.js';
import { ago, insertReadings, startConsoleServer, type ConsoleServer } from '../support/console-server.js';
import { startKeyedServer } from '../support/keyed-server.js';
import type { TemporaryDirectory } from '../support/temporary-directory.js';
import { buildWebPage, expectNoBarrier, overhangOf, type Visit, visitPage } from '../support/web-page.js';

let web: TemporaryDirectory;
let server: ConsoleServer;
let browser: Browser;

beforeAll(async () => {
  web = buildWebPage();
  server = await startConsoleServer({ webRoot: web.path });
  browser = await launchChromium();
});

afterAll(async () => {
  await browser.close();
  await server.close();
  await web.remove();
});

beforeEach(() => server.database.script('TRUNCATE episodes RESTART IDENTITY CASCADE'));

const visit = (path: string, options?: Parameters<Browser['newContext']>[0]): Promise<Visit> =>
  visitPage(browser, server.url, path, options);

const EPISODES = `
  INSERT INTO episodes (device_id, started_at, found_at, last_at, ended_at, peak_score, peak_at, cause, anomalous_records, diagnosis,
    confidence, evidence, alternatives, detector)
  VALUES
    ('P-01', now() - interval '3 hours', now() - interval '175 min', now() - interval '2 hours', now() - interval '2 hours', 4.5,
      now() - interval '150 min', 4, 40, 'gas_lock', .82,
      '{"for":["motor current has fallen by 40 %","flow rate is near zero"],"against":["intake pressure <b>does not</b> fluctuate"],"missing":["there is no casing pressure"]}',
      '[{"diagnosis":"pump_off","confidence":0.3}]', 'level-shift'),
    ('P-02', now() - interval '20 min', now() - interval '18 min', now() - interval '1 min', NULL, NULL, NULL, NULL, 0, NULL, 0, '{}', '[]', 'z-score'),
    ('P-01', now() - interval '30 min', now() - interval '29 min', now() - interval '1 min', NULL, 2.5, now() - interval '20 min', 1, 200, 'sand', .7,
      '{"for":["vibration has doubled"],"against":[],"missing":[]}', '[]', 'level-shift')`;

const table = (page: Page) => page.getByRole('region', { name: 'Episodes' });
const diagnosesOf = (page: Page): Promise<string[]> => table(page).locator('tbody th').allInnerTexts();

test('says that nothing was found where there are none', async () => {
  const { page, complaints } = await visit('/episodes');
  await page.getByRole('heading', { name: 'No episodes here' }).waitFor();
  expect(await page.title()).toBe('Episodes · Downhole');
  await expectNoBarrier(page);
  expect(complaints).toEqual([]);
});

test('lists those that began last first, narrowed by state, well and diagnosis; the address keeps it', async () => {
  await server.database.script(EPISODES);
  const { page, complaints } = await visit('/episodes');
  await table(page).getByRole('row').nth(3).waitFor();
  expect(await diagnosesOf(page)).toEqual(['no signature fits', 'sand or solids', 'gas lock']);
  await expectNoBarrier(page);
  await page.getByRole('button', { name: 'Ended' }).click();
  await expect.poll(() => diagnosesOf(page)).toEqual(['gas lock']);
  await page.reload();
  await expect.poll(() => diagnosesOf(page)).toEqual(['gas lock']);
  await page.getByRole('button', { name: 'All' }).click();
  await page.getByLabel('Diagnosis').selectOption('sand or solids');
  await expect.poll(() => diagnosesOf(page)).toEqual(['sand or solids']);
  await page.getByLabel('Diagnosis').selectOption('any');
  await page.getByRole('searchbox', { name: 'Well' }).pressSequentially('P-02', { delay: 20 });
  await page.keyboard.press('Enter');
  await expect.poll(() => diagnosesOf(page)).toEqual(['no signature fits']);
  expect(complaints).toEqual([]);
});

test('shows what speaks for and against, leads to the curves, and takes what a person does', async () => {
  await server.database.script(EPISODES);
  await insertReadings(server.database, { deviceId: 'P-01', from: ago(14_400), to: ago(0), everySeconds: 60 });
  const { page, complaints } = await visit('/episodes?state=ended');
  await page.getByRole('link', { name: 'gas lock' }).click();
  await page.getByRole('heading', { name: 'P-01: gas lock' }).waitFor();
  const text = await page.getByRole('main').innerText();
  for (const words of [
    'flow rate is near zero',
    'intake pressure <b>does not</b> fluctuate',
    'there is no casing pressure',
    'pump-off (30 %)',
    'let the gas pass',
    'level-shift',
  ])
    expect(text).toContain(words);
  await expectNoBarrier(page);
  await page.getByRole('textbox', { name: 'Note' }).fill('crew is on its way');
  await page.getByRole('button', { name: 'Acknowledge' }).click();
  await page.getByText('crew is on its way').waitFor();
  await expect.poll(() => page.getByRole('button', { name: 'Acknowledge' }).count()).toBe(0);
  await page.getByRole('button', { name: 'Close' }).click();
  await page.getByText('Closed', { exact: true }).first().waitFor();
  const [stored] = await server.database.query('SELECT acknowledged_by, closed_by FROM episodes WHERE id = 1');
  expect(String(stored?.['acknowledged_by'])).toMatch(/^http:/);
  await expectNoBarrier(page);
  await page.getByRole('link', { name: 'Curves of this time' }).click();
  await page.getByRole('heading', { name: 'P-01' }).waitFor();
  const shown = new URL(page.url()).searchParams;
  expect(Date.parse(shown.get('to') ?? '') - Date.parse(shown.get('from') ?? '')).toBe(7_200_000);
  await page.getByRole('link', { name: 'Episode: sand or solids' }).waitFor();
  await page.getByRole('link', { name: 'Episode: sand or solids' }).click();
  await page.getByText('vibration has doubled').waitFor();
  expect(complaints).toEqual([]);
});

test('shows a long note as it was written, and cuts off what is too long for the list', async () => {
  await server.database.script(EPISODES);
  await server.database.script(`
    UPDATE episodes SET acknowledged_at = now(), acknowledged_by = 'key:${'night-shift-'.repeat(12)}' WHERE id = 1;
    INSERT INTO episode_notes (episode_id, actor, text) VALUES (1, 'key:a', E'first line\\nsecond line'), (1, 'key:b', '${'x'.repeat(3000)}')`);
  const { page } = await visit('/episodes');
  const row = table(page).getByRole('row', { name: 'gas lock' });
  await row.waitFor();
  expect(await row.innerText()).toContain('Motor current');
  await row.getByTitle('key:night-shift-').waitFor();
  // Nothing of the table lies outside its frame, so that nobody has to move it to and fro.
  const overhang = `(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.querySelector('.table-frame'))`;
  expect(await page.evaluate(overhang)).toBeLessThanOrEqual(0);
  expect(await overhangOf(page)).toBeLessThanOrEqual(0);
  await page.goto(`${server.url}/episodes/1`);
  await page.getByText('second line').waitFor();
  expect(await page.getByText('second line').innerText()).toBe('first line\nsecond line');
  expect(await overhangOf(page)).toBeLessThanOrEqual(0);
  await expectNoBarrier(page);
});

test('fits a telephone, and an id that is none is said to be none', async () => {
  await server.database.script(EPISODES);
  const { page } = await visit('/episodes/1', { viewport: { width: 390, height: 844 } });
  await page.getByRole('heading', { name: 'P-01: gas lock' }).waitFor();
  expect(await overhangOf(page)).toBeLessThanOrEqual(0);
  await page.goto(`${server.url}/episodes/4711`);
  await page.getByText('Episode 4711 is not known').waitFor();
});

test('offers nothing to do to a session that may only read', async () => {
  const keyed = await startKeyedServer({ webRoot: web.path });
  onTestFinished(() => keyed.close());
  await keyed.database.script(EPISODES);
  const key = await keyed.makeKey({ scopes: ['read'] });
  const { page } = await visitPage(browser, keyed.client.url, '/episodes/1');
  await page.getByLabel('Key', { exact: true }).fill(key);
  await page.keyboard.press('Enter');
  await page.getByText('takes a key with the scope admin').waitFor();
  expect(await page.getByRole('button', { name: 'Close' }).count()).toBe(0);
});
