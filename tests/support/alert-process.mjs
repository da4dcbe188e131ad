// A program for tests: finds one device silent, writes the message and delivers it to a webhook, until it is killed. Its claim of a
// message lasts a second.
import { AlertKeeper } from '../../dist/src/alerts/alert-keeper.js';
import { WebhookChannel } from '../../dist/src/alerts/deliver-webhook.js';
import { openDatabase } from '../../dist/src/storage/open-database.js';

const [url, webhookUrl] = process.argv.slice(2);
const events = { emit: () => undefined };
const database = await openDatabase(
  { dataDir: '', database: { url, poolSize: 4, statementTimeoutMs: 20_000 } },
  events,
);
const condition = { labels: { device: 'W-1', site: 'North' }, summary: 'W-1 is silent', detail: {} };
const keeper = new AlertKeeper({
  database,
  rules: [
    {
      name: 'device_silent',
      severity: 'warning',
      forSeconds: 0,
      resolveSeconds: 0,
      groupBy: ['site'],
      find: () => Promise.resolve([condition]),
    },
  ],
  channels: [new WebhookChannel({ url: webhookUrl, secret: '', timeoutMs: 60_000 })],
  times: { groupWaitUs: 0, groupIntervalUs: 0, repeatUs: 0 },
  events,
  claimSeconds: 1,
});
await keeper.look();
await keeper.tell();
await keeper.deliver();
