/** Dead letters at the page: found, opened, replayed, by a person with a browser. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { launchChromium } from '../support/chromium.js';
import { startConsoleServer, type ConsoleServer } from '../support/console-server.js';
import { startKeyedServer } from '../support/keyed-server.js';
import type { TemporaryDirectory } from '../support/temporary-directory.js';
import { buildWebPage, expectNoBarrier, overhangOf, type Visit, visitPage } from '../support/web-page.js';

const MINUTE_MS = 60_000;

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

beforeEach(() => server.database.script('DELETE FROM dead_letters; DELETE FROM audit_log; DELETE FROM telemetry'));

const visit = (path: string, options?: Parameters<Browser['newContext']>[0]): Promise<Visit> =>
  visitPage(browser, server.url, path, options);

interface Letter {
  readonly id: string;
  readonly code?: string;
  readonly deviceId?: string | null;
  readonly error?: string;
  readonly original?: string | Uint8Array;
  readonly minutesAgo?: number;
}

/** A record that nothing stands in the way of any more. */
const good = (deviceId: string, second = 0): string =>
  JSON.stringify({
    device_id: deviceId,
    timestamp: new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString(),
    pressure: 7,
  });

async function addLetters(
  letters: readonly Letter[],
  { database }: Pick<ConsoleServer, 'database'> = server,
): Promise<void> {
  for (const { id, code = 'future_timestamp', deviceId = 'P-01', error = 'the clock is ahead', ...rest } of letters) {
    const { original = good(deviceId ?? 'P-01'), minutesAgo = 1 } = rest;
    const at = new Date(Date.now() - minutesAgo * MINUTE_MS).toISOString();
    await database.execute(
      `INSERT INTO dead_letters (id, code, device_id, error, original, headers, received_at, last_at)
       VALUES (rpad($1, 64, '0'), $2, $3, $4, decode($5, 'hex'), '{"source": "key:abc", "records": 1}', $6::timestamptz, $6::timestamptz)`,
      [id, code, deviceId, error, Buffer.from(original).toString('hex'), at],
    );
  }
}

const groups = (page: Page) => page.getByRole('region', { name: 'Dead letters by reason' });
const list = (page: Page) => page.getByRole('region', { name: 'Dead letters', exact: true });
const idsOf = (page: Page): Promise<string[]> => list(page).locator('tbody th').allInnerTexts();
const dialog = (page: Page) => page.getByRole('dialog');

describe('the list', () => {
  test('says what it means that there are none', async () => {
    const { page, complaints } = await visit('/dead-letters');
    await page.getByRole('heading', { name: 'No dead letters' }).waitFor();
    await page.getByText('Every record that was accepted is stored').waitFor();
    expect(await page.title()).toBe('Dead letters · Downhole');
    expect(await page.getByRole('link', { name: 'Dead letters' }).getAttribute('aria-current')).toBe('page');
    await page.getByRole('button', { name: 'Purged' }).click();
    await page.getByText('No letter was purged of late').waitFor();
    expect(complaints).toEqual([]);
  });

  test('groups by reason, and is narrowed by reason, well and time; the address keeps it', async () => {
    await addLetters([
      { id: 'aaaaaa', code: 'conflict', minutesAgo: 1 },
      { id: 'bbbbbb', code: 'conflict', deviceId: 'P-02', minutesAgo: 200 },
      { id: 'cccccc', code: 'conflict', deviceId: null, minutesAgo: 3 },
      { id: 'dddddd', code: 'future_timestamp', minutesAgo: 4, error: '<b>bold</b> & "quoted"' },
    ]);
    const { page, complaints } = await visit('/dead-letters');
    await groups(page).getByRole('row').nth(2).waitFor();
    const rows = await groups(page).locator('tbody tr').allInnerTexts();
    expect(rows.map((row) => row.split(/\s*\t\s*/).slice(0, 4))).toEqual([
      ['conflict', '3', '3', '2'],
      ['future_timestamp', '1', '1', '1'],
    ]);
    expect(await groups(page).locator('tbody tr').first().innerText()).toMatch(/\d (s|min) ago/);
    expect((await idsOf(page)).map((id) => id.slice(0, 2))).toEqual(['aa', 'cc', 'dd', 'bb']);
    expect(await list(page).innerText()).toContain('<b>bold</b> & "quoted"');

    await groups(page).getByRole('button', { name: 'conflict' }).focus();
    await page.keyboard.press('Enter');
    await expect.poll(async () => (await idsOf(page)).length).toBe(3);
    expect(await groups(page).getByRole('row').count()).toBe(3);
    await page.getByRole('searchbox', { name: 'Well' }).fill('P-01');
    await page.keyboard.press('Enter');
    await expect.poll(() => idsOf(page)).toEqual(['aaaaaa0000']);
    await page.reload();
    await expect.poll(() => idsOf(page)).toEqual(['aaaaaa0000']);
    expect(page.url()).toMatch(/code=conflict.*device=P-01/);

    await page.getByRole('button', { name: 'Clear' }).click();
    await expect.poll(async () => (await idsOf(page)).length).toBe(4);
    // What is being typed survives the answers that come meanwhile.
    const field = page.getByRole('searchbox', { name: 'Well' });
    await field.pressSequentially('P-0');
    for (let answers = 0; answers < 2; answers++)
      await page.waitForResponse((response) => response.url().includes('/v1/dead-letters'));
    await page.waitForTimeout(100);
    expect(await field.inputValue()).toBe('P-0');
    await field.fill('');
    const local = await page.evaluate<string>(
      'new Date(Date.now() - 3600000 - new Date().getTimezoneOffset() * 60000).toISOString().slice(0, 16)',
    );
    await page.getByLabel('Until').fill(local);
    await expect.poll(() => idsOf(page)).toEqual(['bbbbbb0000']);
    await page.getByLabel('Until').fill('');
    await page.getByLabel('From').fill(local);
    await expect.poll(async () => (await idsOf(page)).length).toBe(3);
    await page.getByLabel('Until').fill('2020-01-01T00:00');
    await page.getByText('“From” is not before “Until”').waitFor();
    await page.getByRole('button', { name: 'Show all' }).click();
    await expect.poll(async () => (await idsOf(page)).length).toBe(4);
    expect(complaints).toEqual([]);
  });

  test('takes an address that makes no sense as far as it does, and says what the service does not take', async () => {
    await addLetters([{ id: 'aaaaaa' }]);
    const { page } = await visit('/dead-letters?state=lost&from=yesterday&until=&code=');
    await expect.poll(() => idsOf(page)).toEqual(['aaaaaa0000']);
    await page.goto(`${server.url}/dead-letters?after=nonsense`);
    await page.getByText('after is not what an answer gave').waitFor();
    await page.goto(`${server.url}/dead-letters?device=${'x'.repeat(300)}`);
    await page.getByText('the parameters and their bounds').first().waitFor();
    await page.goto(`${server.url}/dead-letters/..%2F..%2Fv1%2Fkeys`);
    await page.getByText('the parameters and their bounds').waitFor();
    await page.goto(`${server.url}/dead-letters/abcdef`);
    await page
      .getByText(/abcdef/)
      .nth(1)
      .waitFor();
  });

  test('goes back page by page, and to the newest at once', async () => {
    await server.database.execute(
      `INSERT INTO dead_letters (id, code, error, original, last_at)
       SELECT lpad(to_hex(n), 10, '0') || repeat('0', 54), 'conflict', 'why', 'x', now() - make_interval(secs => n)
       FROM generate_series(1, 150) n`,
      [],
    );
    const { page } = await visit('/dead-letters');
    await expect.poll(async () => (await idsOf(page)).length).toBe(100);
    await page.getByRole('button', { name: 'Older' }).click();
    await expect.poll(async () => (await idsOf(page)).length).toBe(50);
    expect((await idsOf(page)).at(-1)).toBe('0000000096');
    await page.getByRole('button', { name: 'Newest' }).click();
    await expect.poll(async () => (await idsOf(page))[0]).toBe('0000000001');
    await page.goBack();
    await expect.poll(async () => (await idsOf(page)).length).toBe(50);
  });

  test('is led to from the pipeline page, by reason', async () => {
    await addLetters([{ id: 'aaaaaa', code: 'conflict' }, { id: 'bbbbbb' }]);
    const { page } = await visit('/pipeline');
    await page.getByRole('link', { name: 'conflict' }).click();
    await expect.poll(() => idsOf(page)).toEqual(['aaaaaa0000']);
  });
});

describe('a letter', () => {
  test('shows error, remedy, headers and its text as it came; and leads back to the list as it was', async () => {
    const original = '{"device_id": "P-01",\n  "note": "<script>alert(1)</script> – ✓"}';
    await addLetters([{ id: 'aaaaaa', error: 'timestamp is ahead: set the clock', original }]);
    const { page, complaints } = await visit('/dead-letters?code=future_timestamp');
    await page.getByRole('link', { name: 'aaaaaa' }).click();
    await page.getByRole('heading', { level: 1, name: /Dead letter aaaaaa0000/ }).waitFor();
    expect(await page.getByRole('region', { name: 'Original bytes' }).innerText()).toBe(original);
    await page.getByText('timestamp is ahead: set the clock').waitFor();
    await page.getByText('Set the clock of the sender').waitFor();
    await page.getByText('key:abc').waitFor();
    await page.getByText('Waiting').waitFor();
    await page.getByRole('main').getByRole('link', { name: 'Dead letters' }).click();
    await list(page).waitFor();
    expect(new URL(page.url()).search).toBe('?code=future_timestamp');
    expect(complaints).toEqual([]);
  });

  test('that is not UTF-8 is shown in hexadecimal', async () => {
    const original = Buffer.concat([Buffer.from([0, 255, 16]), Buffer.from('gauge 7'), Buffer.alloc(5000, 171)]);
    await addLetters([{ id: 'aaaaaa', original }]);
    const { page } = await visit(`/dead-letters/aaaaaa${'0'.repeat(58)}`);
    const lines = (await page.getByRole('region', { name: 'Original bytes' }).innerText()).split('\n');
    expect(lines[0]).toBe('000000  00 ff 10 67 61 75 67 65 20 37 ab ab ab ab ab ab  ...gauge 7......');
    expect(lines).toHaveLength(256);
    await page.getByText(/Not UTF-8.*5\.0 kB.*this is the beginning/).waitFor();
  });

  test('is replayed after a question that says how many, by keyboard, and shows what came of it', async () => {
    await addLetters([{ id: 'aaaaaa' }]);
    const { page, complaints } = await visit('/dead-letters/aaaaaa');
    await page.getByRole('button', { name: 'Replay this letter' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Replay 1 letter?' }).waitFor();
    await expectNoBarrier(page);
    await page.keyboard.press('Escape');
    await dialog(page).waitFor({ state: 'hidden' });
    const states = () => server.database.query('SELECT state FROM dead_letters');
    expect(await states()).toEqual([{ state: 'new' }]);

    await page.getByRole('button', { name: 'Replay this letter' }).press('Enter');
    await page.getByRole('button', { name: 'Replay 1 letter', exact: true }).press('Enter');
    await dialog(page).getByText('1 letter replayed. Records: 1 stored.').waitFor();
    await expectNoBarrier(page);
    await page.keyboard.press('Enter');
    await dialog(page).waitFor({ state: 'hidden' });
    await page.getByText('Replayed: 1 stored', { exact: true }).waitFor();
    expect(await page.getByRole('button', { name: 'Replay this letter' }).count()).toBe(0);
    await page.getByRole('region', { name: 'What was done to it' }).getByText('replayed: 1 stored').waitFor();
    expect(await states()).toEqual([{ state: 'replayed' }]);
    expect(complaints).toEqual([]);
  });

  test('that is refused again says why, and waits on', async () => {
    await addLetters([{ id: 'aaaaaa', original: 'garbage' }]);
    const { page } = await visit('/dead-letters/aaaaaa');
    await page.getByRole('button', { name: 'Replay this letter' }).click();
    await page.getByRole('button', { name: 'Replay 1 letter', exact: true }).click();
    await dialog(page)
      .getByText(/1 letter refused again and waiting on, malformed_json/)
      .waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
    await page.getByText('Waiting').waitFor();
    await page.getByText('one record a line').waitFor();
  });

  test('that somebody else has replayed meanwhile is left alone, and that is said', async () => {
    await addLetters([{ id: 'aaaaaa' }]);
    const { page } = await visit('/dead-letters/aaaaaa');
    await page.getByRole('button', { name: 'Replay this letter' }).click();
    await server.database.script(`UPDATE dead_letters SET state = 'replayed'`);
    await page.getByRole('button', { name: 'Replay 1 letter', exact: true }).click();
    await dialog(page).getByText('1 letter left out: it is replayed already').waitFor();
  });
});

describe('the letters of a filter', () => {
  test('are replayed together, as many as was said, and no others', async () => {
    await addLetters([
      ...Array.from({ length: 5 }, (_, at) => ({ id: `aaaaa${at}`, original: good('P-01', at) })),
      { id: 'bbbbbb', original: 'garbage' },
      { id: 'cccccc', code: 'conflict', original: good('P-01', 50) },
    ]);
    const { page } = await visit('/dead-letters?code=future_timestamp');
    await page.getByRole('button', { name: 'Replay 6 letters' }).click();
    await page.getByRole('heading', { name: 'Replay 6 letters?' }).waitFor();
    await dialog(page).getByText('All that wait now with the reason future_timestamp.').waitFor();
    await expectNoBarrier(page);
    // One that comes while the question is open was not counted, and is not replayed.
    await addLetters([{ id: 'dddddd', original: good('P-01', 51), minutesAgo: -1 }]);
    await page.getByRole('button', { name: 'Replay 6 letters', exact: true }).click();
    await dialog(page).getByText('5 letters replayed. Records: 5 stored.').waitFor();
    await dialog(page)
      .getByText(/1 letter refused again.*malformed_json/)
      .waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
    await page.getByRole('button', { name: 'Replay 1 letter' }).waitFor();
    const waiting = await server.database.query(
      `SELECT left(id, 6) AS id FROM dead_letters WHERE state = 'new' ORDER BY id`,
    );
    expect(waiting.map(({ id }) => id)).toEqual(['bbbbbb', 'cccccc', 'dddddd']);
  });

  test('are replayed request by request; "Stop" ends it after the one under way, and what is done is done', async () => {
    await server.database.execute(
      `INSERT INTO dead_letters (id, code, error, original)
       SELECT lpad(to_hex(n), 10, '0') || repeat('0', 54), 'broker_expired', 'why', convert_to(
         '{"device_id":"P-09","timestamp":"2026-01-01T' || to_char(interval '1 second' * n, 'HH24:MI:SS') || 'Z","pressure":7}', 'UTF8')
       FROM generate_series(1, 503) n`,
      [],
    );
    const { page } = await visit('/dead-letters');
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    await page.route('**/v1/dead-letters/replay', async (route) => {
      await held;
      await route.continue();
    });
    await page.getByRole('button', { name: 'Replay 503 letters' }).click();
    await page.getByRole('button', { name: 'Replay 503 letters', exact: true }).click();
    await page.getByRole('progressbar', { name: 'Letters replayed' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByText(', stopping').waitFor();
    release();
    await dialog(page).getByText('Stopped after 500 of 503 letters; the others wait on.').waitFor();
    await dialog(page).getByText('500 letters replayed. Records: 500 stored.').waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
    await page.getByRole('button', { name: 'Replay 3 letters' }).click();
    await page.getByRole('button', { name: 'Replay 3 letters', exact: true }).click();
    await dialog(page).getByText('3 letters replayed. Records: 3 stored.').waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
    await page.getByRole('heading', { name: 'No dead letters' }).waitFor();
    // And without a stop, all of them.
    await server.database.script(`DELETE FROM telemetry; UPDATE dead_letters SET state = 'new'`);
    await page.getByRole('button', { name: 'Replay 503 letters' }).click();
    await page.getByRole('button', { name: 'Replay 503 letters', exact: true }).click();
    await dialog(page).getByText('503 letters replayed. Records: 503 stored.').waitFor();
  });

  test('are told of as far as it went when the service goes away in the middle', async () => {
    await addLetters([{ id: 'aaaaaa' }]);
    const { page } = await visit('/dead-letters');
    await page.getByRole('button', { name: 'Replay 1 letter' }).waitFor();
    await page.route('**/v1/dead-letters/groups**', (route) => route.abort());
    await page.getByRole('button', { name: 'Replay 1 letter' }).click();
    await page.getByRole('alert').getByText('The service does not answer.').waitFor();
    await page.unroute('**/v1/dead-letters/groups**');
    await page.getByRole('button', { name: 'Replay 1 letter' }).click();
    await page.route('**/v1/dead-letters/replay', (route) => route.abort());
    await page.getByRole('button', { name: 'Replay 1 letter', exact: true }).click();
    await dialog(page).getByText('The service does not answer. What is listed here is done').waitFor();
    await page.keyboard.press('Escape');
    await page.unroute('**/v1/dead-letters/replay');
    await page.getByRole('button', { name: 'Replay 1 letter' }).click();
    await page.getByRole('button', { name: 'Replay 1 letter', exact: true }).click();
    await dialog(page).getByText('1 letter replayed').waitFor();
  });
});

test('where keys are asked for, only an administrator is offered a replay, and the log has who did it', async () => {
  const keyed = await startKeyedServer({ webRoot: web.path });
  onTestFinished(() => keyed.close());
  await addLetters([{ id: 'aaaaaa' }], keyed);
  const open = async (scope: 'read' | 'admin'): Promise<{ page: Page; key: string }> => {
    const key = await keyed.makeKey({ scopes: [scope] });
    const { page } = await visitPage(browser, keyed.client.url, '/dead-letters');
    await page.getByLabel('Key', { exact: true }).fill(key);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect.poll(() => idsOf(page)).toEqual(['aaaaaa0000']);
    return { page, key };
  };
  const reader = await open('read');
  await reader.page.getByText('needs a key with the scope admin').waitFor();
  expect(await reader.page.getByRole('button', { name: /Replay \d/ }).count()).toBe(0);
  const administrator = await open('admin');
  await administrator.page.getByRole('button', { name: 'Replay 1 letter' }).click();
  await administrator.page.getByRole('button', { name: 'Replay 1 letter', exact: true }).click();
  await dialog(administrator.page).getByText('1 letter').first().waitFor();
  await administrator.page.getByRole('button', { name: 'Close' }).click();
  const acts = await keyed.database.query(`SELECT actor FROM audit_log WHERE action = 'dead_letter.replay'`);
  expect(acts).toEqual([{ actor: `key:${administrator.key.split('_')[1]}` }]);
});

describe.each(['light', 'dark'] as const)('in %s', (colorScheme) => {
  test('no view has a barrier that axe can find, and none is wider than its window', async () => {
    await addLetters([
      { id: 'aaaaaa', code: 'conflict', error: 'x'.repeat(400) },
      { id: 'bbbbbb', original: Buffer.from([255, 0]) },
    ]);
    const { page } = await visit('/dead-letters', { colorScheme });
    for (const [path, ready] of [
      ['/dead-letters', 'table'],
      ['/dead-letters?state=all&code=conflict', 'table'],
      ['/dead-letters?device=nobody', '.empty'],
      ['/dead-letters/aaaaaa', '.bytes'],
      ['/dead-letters/bbbbbb', '.bytes'],
      ['/dead-letters/ffffff', '.note'],
    ] as const) {
      for (const width of [360, 1440]) {
        await page.setViewportSize({ width, height: 800 });
        await page.goto(server.url + path);
        await page.locator(ready).first().waitFor();
        expect(await overhangOf(page), path).toBeLessThanOrEqual(0);
      }
      await expectNoBarrier(page);
    }
  });
});
