/** The page of alerts: what fires, what was, silence and test, by a person with a browser. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebhookChannel } from '../../src/alerts/deliver-webhook.js';
import { launchChromium } from '../support/chromium.js';
import { startConsoleServer, type ConsoleServer } from '../support/console-server.js';
import type { TemporaryDirectory } from '../support/temporary-directory.js';
import { buildWebPage, expectNoBarrier, overhangOf, visitPage } from '../support/web-page.js';
import { startReceiver, type WebhookReceiver } from '../support/webhook-receiver.js';

let web: TemporaryDirectory;
let receiver: WebhookReceiver;
let server: ConsoleServer;
let browser: Browser;

beforeAll(async () => {
  web = buildWebPage();
  receiver = await startReceiver(200, 500);
  const alertChannels = [new WebhookChannel({ url: receiver.url, secret: '' })];
  server = await startConsoleServer({ webRoot: web.path, alertChannels });
  browser = await launchChromium();
}, 240_000);

afterAll(async () => {
  await browser.close();
  await server.close();
  receiver.close();
  await web.remove();
});

const rowsOf = (page: Page, name: string) => page.getByRole('region', { name }).locator('tbody tr');

test('says what it means that nothing fires', async () => {
  const { page, complaints } = await visitPage(browser, server.url, '/alerts');
  await page.getByRole('heading', { name: 'Nothing fires' }).waitFor();
  await page.getByText('No alert was raised of late').waitFor();
  expect(await page.title()).toBe('Alerts · Downhole');
  expect(complaints).toEqual([]);
});

test('shows what fires, the gravest first, and what was; a test says what was answered; silence begins and ends', async () => {
  await server.database.execute(
    `INSERT INTO alerts (fingerprint, rule, group_key, labels, severity, summary, state, seen_at, raised_at, ended_at, told, silence_id) VALUES
       ('a', 'device_silent', 'g', '{"device": "P-01", "site": "North"}', 'warning', 'Device "P-01" has been silent since <b>then</b>', 'firing', now() - interval '2 hours', now() - interval '2 hours', NULL, 'firing', NULL),
       ('b', 'disk_filling', 'h', '{}', 'critical', 'The disk of the database is full in 3 days.', 'firing', now() - interval '1 hour', now() - interval '1 hour', NULL, 'nothing', 9),
       ('c', 'job_overdue', 'i', '{"job": "compress"}', 'warning', 'The job compress is behind', 'pending', now() - interval '1 minute', NULL, NULL, 'nothing', NULL),
       ('d', 'quality_low', 'j', '{"site": "South"}', 'warning', 'The quality was low', 'resolved', now() - interval '9 hours', now() - interval '8 hours', now() - interval '6 hours', 'resolved', NULL)`,
  );
  const { page, complaints } = await visitPage(browser, server.url, '/alerts');
  await rowsOf(page, 'What is the case').nth(2).waitFor();
  const firing = await rowsOf(page, 'What is the case').allInnerTexts();
  expect(firing.map((row) => row.split(/\s*\t\s*/).slice(0, 3))).toEqual([
    ['critical', 'disk_filling', '–'],
    ['warning', 'device_silent', 'P-01'],
    ['warning', 'job_overdue', '–'],
  ]);
  expect(firing.join('\n')).toMatch(/silenced \(window 9\)[^]*<b>then<\/b>[^]*in the log alone[^]*not for long yet/);
  const history = await rowsOf(page, 'History').allInnerTexts();
  expect(history.map((row) => row.split(/\s*\t\s*/)[1])).toEqual(['disk_filling', 'device_silent', 'quality_low']);
  expect(history[2]).toMatch(/South.*passed/s);

  await page.getByRole('button', { name: 'Send a test' }).click();
  await page.getByText('webhook: it was taken').waitFor();
  await page.getByRole('button', { name: 'Send a test' }).click();
  await page.getByText('webhook: it answered 500').waitFor();

  await page.getByLabel('Site').fill('North');
  await page.getByLabel('Reason').fill('workover of P-01');
  await page.getByRole('button', { name: 'Silence', exact: true }).click();
  await expect
    .poll(() => rowsOf(page, 'Maintenance windows').allInnerTexts())
    .toEqual([expect.stringMatching(/^site North\s.*workover of P-01/s)]);
  await expectNoBarrier(page);
  expect(await overhangOf(page)).toBeLessThanOrEqual(0);
  await page.getByRole('button', { name: /^End/ }).click();
  await page.getByText('There is none in force').waitFor();
  await page.setViewportSize({ width: 390, height: 800 });
  await expectNoBarrier(page);
  expect(await overhangOf(page)).toBeLessThanOrEqual(0);
  const acts = await server.database.query(`SELECT action FROM audit_log ORDER BY id`);
  expect(acts.map(({ action }) => action)).toEqual(['alert.test', 'alert.test', 'alert.silence', 'alert.unsilence']);
  expect(complaints).toEqual([]);
});
