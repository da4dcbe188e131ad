import { expect, it } from 'vitest';
import type { Platform } from '../../src/commands/open-platform.js';
import type { Settings } from '../../src/commands/load-settings.js';
import { serve } from '../../src/commands/serve.js';
import { loadConfig } from '../../src/config/load-config.js';
import { migrate } from '../../src/storage/migrator.js';
import { ServerDatabase } from '../../src/storage/server-database.js';
import { startFaultProxy } from '../support/fault-proxy.js';
import { silentEvents } from '../support/inspection.js';
import { startPipeline } from '../support/pipeline.js';
import { startPostgres } from '../support/postgres.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

it('closes while an import waits for a database that is away, and tells the import to come again', async () => {
  const postgres = await startPostgres();
  const proxy = await startFaultProxy(postgres.port);
  const url = new URL(postgres.url);
  url.port = String(proxy.port);
  const events = silentEvents();
  const database = await ServerDatabase.open({ url: url.href, poolSize: 4, statementTimeoutMs: 10_000 }, events);
  await migrate(database, { events, subset: 'plain' });
  const running = await startPipeline(database, temporaryDirectory('serve'));
  const { pipeline, broker, metrics } = running;
  const settings = { config: loadConfig({ environment: {}, overrides: { 'http.port': 0 } }), events, metrics };
  const platform = { database, broker, pipeline, lock: { setServiceUrl: () => undefined } };
  const server = await serve(settings as unknown as Settings, platform as unknown as Platform, '0.0.0-test');

  proxy.refuse();
  const imported = fetch(`${server.url}/v1/import`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ device_id: 'esp-1', timestamp: '2026-11-01T00:00:00Z', temperature: 80 }),
  });
  while ((await metrics.value('telemetry_write_retries_total')) === 0) await new Promise((r) => setTimeout(r, 20));
  await server.close();
  const answer = await imported;
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, expect.stringMatching(/\d/)]);

  proxy.heal();
  await running.stop();
  await database.close();
  await proxy.close();
  await postgres.remove();
});
