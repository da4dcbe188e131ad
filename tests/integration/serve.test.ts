import { expect, it } from 'vitest';
import { startProcess } from '../../src/commands/start-process.js';
import { loadConfig } from '../../src/config/load-config.js';
import { createLogger } from '../../src/monitoring/logger.js';
import { Metrics } from '../../src/monitoring/metrics.js';
import { startFaultProxy } from '../support/fault-proxy.js';
import { silentEvents } from '../support/inspection.js';
import { startPostgres } from '../support/postgres.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

it('closes while an import waits for a database that is away, and tells the import to come again', async () => {
  const postgres = await startPostgres();
  const proxy = await startFaultProxy(postgres.port);
  const url = new URL(await postgres.createDatabase());
  url.port = String(proxy.port);
  const metrics = new Metrics();
  const overrides = { 'http.port': 0, 'database.url': url.href, dataDir: temporaryDirectory('serve') };
  const settings = {
    config: loadConfig({ environment: {}, overrides }),
    logger: createLogger('error'),
    events: silentEvents(metrics),
    metrics,
    schemaSubset: 'plain',
  } as const;
  const service = await startProcess(settings, {
    version: '0.0.0-test',
    roles: ['ingest', 'pipeline'],
    command: 'test',
  });

  proxy.refuse();
  const imported = fetch(`${service.url}/v1/import`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ device_id: 'esp-1', timestamp: '2026-11-01T00:00:00Z', temperature: 80 }),
  });
  while ((await metrics.value('telemetry_write_retries_total')) === 0) await new Promise((r) => setTimeout(r, 20));
  await service.close();
  const answer = await imported;
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, expect.stringMatching(/\d/)]);

  await proxy.close();
  await postgres.remove();
});
