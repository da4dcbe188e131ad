import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { ROLES } from '../../src/commands/roles.js';
import { startProcess } from '../../src/commands/start-process.js';
import { loadConfig } from '../../src/config/load-config.js';
import { createLogger } from '../../src/monitoring/logger.js';
import { Metrics } from '../../src/monitoring/metrics.js';
import { startFaultProxy } from '../support/fault-proxy.js';
import { silentEvents } from '../support/inspection.js';
import { startPostgres } from '../support/postgres.js';
import { recordEvents } from '../support/record-events.js';
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

it('says that its address is taken before it opens anything', async () => {
  const taken = createServer();
  await once(taken.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void taken.close());
  const { port } = taken.address() as AddressInfo;
  const parent = temporaryDirectory('taken');
  const events = recordEvents();
  const start = (http: Readonly<Record<string, unknown>>): Promise<unknown> => {
    const overrides = { ...http, 'simulator.wells': 0, dataDir: join(parent, 'data') };
    const config = loadConfig({ environment: {}, overrides });
    const settings = { config, logger: createLogger('error'), events, metrics: new Metrics() };
    return startProcess(settings, { version: '0.0.0-test', roles: ROLES, command: 'test' });
  };
  await expect(start({ 'http.port': port })).rejects.toMatchObject({ code: 'port_in_use' });
  await expect(start({ 'http.host': '0.0.0.0' })).rejects.toMatchObject({ code: 'refused_bind' });
  expect([readdirSync(parent), events.all]).toEqual([[], []]);
});
