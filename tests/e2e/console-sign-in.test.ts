/** Signing in at the page, in a browser, where the service asks for keys; and nothing of it where it does not. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { newApiKeyText } from '../../src/ingest/keys/api-key.js';
import { revokeKey } from '../../src/ingest/keys/key-table.js';
import { writeCertificates } from '../support/certificates.js';
import { launchChromium } from '../support/chromium.js';
import { startIngestServer, type IngestServer, type IngestServerOptions } from '../support/ingest-server.js';
import { startKeyedServer, type KeyedServer } from '../support/keyed-server.js';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.js';
import { buildWebPage, expectNoBarrier, overhangOf, type Visit, visitPage } from '../support/web-page.js';

const HOUR_MS = 3_600_000;
const KEYS = { 'http.requireKeys': true };
/** What the browser's own console says of a status: the page tells it in words. */
const OF_A_STATUS = /Failed to load resource/;

let web: TemporaryDirectory;
let keyed: KeyedServer;
let browser: Browser;

beforeAll(async () => {
  web = buildWebPage();
  keyed = await startKeyedServer({ webRoot: web.path });
  await keyed.database.script(`
    INSERT INTO devices (device_id, first_seen, last_seen) VALUES ('P-01', now() - interval '1 hour', now());
    INSERT INTO telemetry ("timestamp", device_id, temperature, data_quality_score, is_anomaly, ingestion_timestamp)
      SELECT t, 'P-01', 80, 1, false, t FROM generate_series(now() - interval '2 hours', now(), interval '10 s') t`);
  browser = await launchChromium();
});

afterAll(async () => {
  await browser.close();
  await keyed.close();
  await web.remove();
});

const visit = (path: string, options?: Parameters<Browser['newContext']>[0]): Promise<Visit> =>
  visitPage(browser, keyed.client.url, path, options);

/** Another server on the same database and keys, closed when the test ends. */
async function startAnother(options: IngestServerOptions): Promise<IngestServer> {
  const { database, keys } = keyed;
  const server = await startIngestServer({ database, keys, console: true, webRoot: web.path, ...options });
  onTestFinished(() => server.close());
  return server;
}

/** As `visit`, at a server where nobody has tried to sign in: the tries from one address are limited. */
async function visitUntried(path: string, options?: Parameters<Browser['newContext']>[0]): Promise<Visit> {
  const { client } = await startAnother({ settings: KEYS });
  return visitPage(browser, client.url, path, options);
}

const field = (page: Page) => page.getByLabel('Key', { exact: true });
const problem = (page: Page) => page.locator('#key-problem');

async function signIn(page: Page, key: string): Promise<void> {
  await field(page).fill(key);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** A page on which somebody has signed in with a new key that may read. */
async function signedIn(path: string, scopes: ('read' | 'admin')[] = ['read']): Promise<Visit & { key: string }> {
  const key = await keyed.makeKey({ scopes });
  const visited = await visit(path);
  await signIn(visited.page, key);
  await visited.page.getByRole('button', { name: 'Sign out' }).waitFor();
  return { ...visited, key };
}

/** What the page asks of the service from now on, without the question whether there is a session. */
function watchRequests(watched: Page): string[] {
  const paths: string[] = [];
  watched.on('request', (request) => {
    const path = new URL(request.url()).pathname;
    if (path.startsWith('/v1/') && path !== '/v1/session') paths.push(path);
  });
  return paths;
}

/** Everything that a script or the address could give away of a key. */
async function traces(watched: Page): Promise<string> {
  const kept = await watched.evaluate<string>(
    'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, history.state, document.documentElement.outerHTML])',
  );
  return kept + watched.url();
}

describe('signing in', () => {
  test('shows the form and asks for nothing else; with a key it shows what the address says', async () => {
    const key = await keyed.makeKey({ scopes: ['read'] });
    const { page: shown, complaints } = await visit('/wells/P-01?range=6h');
    const asked = watchRequests(shown);
    await shown.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor();
    expect(await shown.title()).toBe('Sign in · Downhole');
    expect(await shown.getByText('downhole keys create').count()).toBe(1);
    expect(await shown.getByRole('navigation').getByRole('link').count()).toBe(0);
    // By keyboard alone: the field has the focus.
    await expect.poll(() => shown.evaluate('document.activeElement?.id')).toBe('key');
    expect(await field(shown).getAttribute('type')).toBe('password');
    expect(asked).toEqual([]);
    await shown.keyboard.type(` ${key} `);
    await shown.keyboard.press('Enter');
    await shown.getByRole('heading', { level: 1, name: 'P-01' }).waitFor();
    await shown.locator('.badge').waitFor();
    expect(new URL(shown.url()).search).toBe('?range=6h');
    expect(await shown.title()).toBe('P-01 · Downhole');
    expect(await shown.evaluate('document.activeElement?.id')).toBe('main');
    expect(await traces(shown)).not.toContain(key.slice(16));
    expect(keyed.log.join('\n')).not.toContain(key.slice(16));
    await shown.reload();
    await shown.getByRole('heading', { level: 1, name: 'P-01' }).waitFor();
    expect(complaints).toEqual([]);
  });

  test('sets a cookie that is bound to HTTPS where it is spoken, and hidden from scripts', async () => {
    const files = writeCertificates(temporaryDirectory('sign-in-tls'));
    const secure = await startAnother({ ca: files.ca, settings: { ...files.settings, ...KEYS } });
    for (const [url, name] of [
      [secure.client.url, '__Host-downhole'],
      [keyed.client.url, 'downhole-session'],
    ] as const) {
      const { page: shown } = await visitPage(browser, url, '/', { ignoreHTTPSErrors: true });
      await signIn(shown, await keyed.makeKey({ scopes: ['read'] }));
      await shown.getByRole('row', { name: /P-01/ }).waitFor();
      expect(await shown.context().cookies()).toMatchObject([
        { name, httpOnly: true, sameSite: 'Strict', secure: name.startsWith('__Host-'), path: '/' },
      ]);
      expect(await shown.evaluate('document.cookie')).toBe('');
    }
  });

  test('says by name what is wrong with what was entered, and lets one try again', async () => {
    const good = await keyed.makeKey({ scopes: ['read'] });
    const revoked = await keyed.makeKey({ scopes: ['read'] });
    await revokeKey(keyed.database, revoked.split('_')[1] as string, 'cli:test');
    await keyed.keys.refreshAfterChange();
    const { page: shown, complaints } = await visitUntried('/');
    const cases: [string, RegExp][] = [
      ['', /Enter a key/],
      ['   ', /Enter a key/],
      ['hunter2', /does not let you in.*mistyped or unknown.*revoked or expired/],
      ['<img src=x onerror=alert(1)>', /does not let you in/],
      ['🗝'.repeat(40), /does not let you in/],
      ['x'.repeat(5000), /This is no key/],
      [newApiKeyText().text, /does not let you in/],
      [revoked, /revoked/],
      [await keyed.makeKey({ scopes: ['write'] }), /may not read.*scope read or admin/],
    ];
    for (const [text, words] of cases) {
      await signIn(shown, text);
      await expect.poll(() => problem(shown).textContent(), { message: text }).toMatch(words);
      expect(await field(shown).getAttribute('aria-invalid')).toBe('true');
      expect(await shown.evaluate('document.activeElement?.id')).toBe('key');
      await field(shown).fill('d');
      await expect.poll(() => problem(shown).textContent()).toBe('');
    }
    await signIn(shown, good);
    await shown.getByRole('row', { name: /P-01/ }).waitFor();
    expect(complaints.filter((text) => !OF_A_STATUS.test(text))).toEqual([]);
  });

  test('says when to come again after too many tries', async () => {
    const other = await startAnother({ settings: KEYS });
    const { page: shown } = await visitPage(browser, other.client.url, '/');
    await field(shown).waitFor();
    const wrong = newApiKeyText().text;
    await expect
      .poll(async () => {
        for (let tries = 0; tries < 30; tries++) await other.client.post('/v1/session', { key: wrong });
        await signIn(shown, wrong);
        return problem(shown).textContent();
      })
      .toMatch(/too many tries.*Try again in \d+ s/);
  });
});

describe('a session', () => {
  test('ends at once by "Sign out", at the service as well, and nothing is asked for afterwards', async () => {
    const { page: shown } = await signedIn('/');
    await shown.getByRole('row', { name: /P-01/ }).waitFor();
    const [cookie] = await shown.context().cookies();
    await shown.getByRole('button', { name: 'Sign out' }).focus();
    await shown.keyboard.press('Enter');
    await shown.getByText('You are signed out.').waitFor();
    expect(await shown.getByRole('row').count()).toBe(0);
    expect(await shown.getByRole('button', { name: 'Sign out' }).count()).toBe(0);
    expect(await shown.context().cookies()).toEqual([]);
    const headers = { cookie: `${cookie?.name}=${cookie?.value}` };
    expect((await keyed.client.request('/v1/devices', { headers })).status).toBe(401);
    await shown.reload();
    await shown.getByRole('heading', { name: 'Sign in' }).waitFor();
  });

  test('that is over brings the form back, stops asking, and leads back to the same view', async () => {
    const key = await keyed.makeKey({ scopes: ['read'] });
    const { page: shown, complaints } = await visit('/?q=p-0&sort=-quality');
    await shown.clock.install();
    await signIn(shown, key);
    await shown.getByRole('row', { name: /P-01/ }).waitFor();
    keyed.setNow(Date.now() + 12 * HOUR_MS);
    onTestFinished(() => keyed.setNow(Date.now()));
    await shown.clock.runFor(10_000);
    await shown.getByText('Your session has ended').waitFor();
    const asked = watchRequests(shown);
    await shown.clock.runFor(10 * 60_000);
    expect(asked).toEqual([]);
    expect(shown.url()).toBe(`${keyed.client.url}/?q=p-0&sort=-quality`);
    await signIn(shown, key);
    await shown.getByRole('row', { name: /P-01/ }).waitFor();
    expect(await shown.getByRole('searchbox').inputValue()).toBe('p-0');
    await shown.clock.runFor(10_000);
    await expect.poll(() => asked.length).toBeGreaterThan(0);
    expect(complaints.filter((text) => !OF_A_STATUS.test(text))).toEqual([]);
  });

  test('ends with its key, and says so', async () => {
    const { page: shown, key } = await signedIn('/quality');
    await revokeKey(keyed.database, key.split('_')[1] as string, 'cli:test');
    await keyed.keys.refreshAfterChange();
    await shown.reload();
    await shown.getByRole('heading', { name: 'Sign in' }).waitFor();
    const again = await signedIn('/pipeline');
    await revokeKey(keyed.database, again.key.split('_')[1] as string, 'cli:test');
    await keyed.keys.refreshAfterChange();
    await again.page.getByText('was revoked or has expired').waitFor();
  });

  test('is that of all tabs: what one begins or ends, the other ones know when they are seen', async () => {
    const { page: first, key } = await signedIn('/');
    const context: BrowserContext = first.context();
    const second = await context.newPage();
    await second.goto(`${keyed.client.url}/quality`);
    await second.getByRole('heading', { name: 'Data quality' }).waitFor();
    await second.getByRole('button', { name: 'Sign out' }).click();
    await second.getByText('You are signed out').waitFor();
    await first.getByText('Your session has ended').waitFor();
    await signIn(first, key);
    await first.getByRole('row', { name: /P-01/ }).waitFor();
    await second.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`);
    await second.getByRole('heading', { name: 'Data quality' }).waitFor();
  });

  test('says that the service is away while it is, and not that one is signed out', async () => {
    const { page: shown } = await signedIn('/');
    await shown.getByRole('row', { name: /P-01/ }).waitFor();
    await shown.route('**/v1/**', (route) => route.abort());
    await shown.getByRole('button', { name: 'Sign out' }).click();
    await shown.getByText('You are still signed in: The service does not answer.').waitFor();
    await shown.unroute('**/v1/**');
    await shown.getByRole('button', { name: 'Sign out' }).click();
    await shown.getByText('You are signed out.').waitFor();
    expect(await shown.getByText('The service does not answer').count()).toBe(0);
  });

  test('of a key that is for some wells shows those, and says of the rest that it is not for it', async () => {
    const key = await keyed.makeKey({ scopes: ['read'], devices: ['P-*'] });
    const { page: shown } = await visit('/');
    await signIn(shown, key);
    await shown.getByRole('row', { name: /P-01/ }).waitFor();
    await shown.getByRole('link', { name: 'Pipeline' }).click();
    await shown.getByText('is restricted to some sites or devices').first().waitFor();
  });
});

test('where no keys are asked for there is no form, not for a moment, and nobody to sign out', async () => {
  const open = await startAnother({});
  const { page: shown, complaints } = await visitPage(browser, open.client.url, '/nowhere');
  await shown.addInitScript(`
    window.seen = [];
    new MutationObserver(() => { if (document.querySelector('.sign-in, #key')) window.seen.push(location.href); })
      .observe(document, { childList: true, subtree: true });`);
  for (const path of ['/', '/wells/P-01', '/quality', '/pipeline']) {
    await shown.goto(open.client.url + path);
    await shown.locator('h1').first().waitFor();
    await shown.waitForResponse((response) => response.url().includes('/v1/'));
    expect(await shown.evaluate('window.seen')).toEqual([]);
    expect(await shown.getByRole('button', { name: 'Sign out' }).count()).toBe(0);
  }
  expect(complaints.filter((text) => !OF_A_STATUS.test(text))).toEqual([]);
});

describe.each(['light', 'dark'] as const)('in %s', (colorScheme) => {
  test('the form and what it says have no barrier that axe can find', async () => {
    const { page: shown } = await visitUntried('/', { colorScheme });
    await field(shown).waitFor();
    await expectNoBarrier(shown);
    await signIn(shown, 'nonsense');
    await shown.getByText('does not let you in').waitFor();
    await expectNoBarrier(shown);
    await signIn(shown, await keyed.makeKey({ scopes: ['read'] }));
    await shown.getByRole('row', { name: /P-01/ }).waitFor();
    await expectNoBarrier(shown);
  });
});

test.each([320, 360, 1440])('the form is no wider than %i pixels, nor is the header', async (width) => {
  const { page: shown } = await visitUntried('/', { viewport: { width, height: 800 } });
  await field(shown).waitFor();
  expect(await overhangOf(shown)).toBeLessThanOrEqual(0);
  await signIn(shown, await keyed.makeKey({ scopes: ['read'] }));
  await shown.getByRole('row', { name: /P-01/ }).waitFor();
  expect(await overhangOf(shown)).toBeLessThanOrEqual(0);
});
