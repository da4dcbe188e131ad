import { afterEach, describe, expect, it } from 'vitest';
import { ROLES } from '../../src/commands/roles.js';
import { downhole, runCommand, startService, type Service } from '../support/service.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const SLOW_MS = 120_000;

const services: Service[] = [];
afterEach(async () => {
  for (const service of services.splice(0)) await service.kill();
});

/** A process with these roles, ready, and killed after the test. */
async function start(dataDir: string, environment: Record<string, string>, ...args: string[]): Promise<Service> {
  const service = await startService(dataDir, environment, downhole(...args));
  services.push(service);
  return service;
}

describe('the roles', () => {
  it('explain themselves, what they need, and with examples', async () => {
    const { stdout } = await runCommand(['--help']);
    for (const role of ROLES) expect(stdout).toMatch(new RegExp(`^  ${role} +role: \\w`, 'm'));
    for (const command of [...ROLES, 'run']) {
      const { code, stdout: help } = await runCommand([command, '--help']);
      expect([command, code]).toEqual([command, 0]);
      expect(help).toMatch(new RegExp(`^Usage: downhole ${command} .*^Examples:\n  downhole ${command} `, 'ms'));
    }
  });

  it('that do not exist are refused, with those that do', async () => {
    const unknown = await runCommand(['run', 'ingest', 'pipline']);
    expect([unknown.code, unknown.stdout]).toEqual([2, '']);
    expect(unknown.stderr).toContain('no role "pipline"; the roles are ingest, pipeline, jobs, console');
    expect((await runCommand(['run'])).code).toBe(2);
  });

  it(
    'that need one another are refused as processes of their own on one embedded directory, with what to set',
    async () => {
      const dataDir = temporaryDirectory('roles');
      const ingest = await start(dataDir, {}, 'ingest');
      const refused = await runCommand(['pipeline'], { DOWNHOLE_DATA_DIR: dataDir, DOWNHOLE_HTTP_PORT: '0' });
      expect([refused.code, refused.stdout]).toEqual([1, '']);
      expect(refused.stderr).toContain(`in use by \`downhole ingest\` (process ${ingest.process.pid},`);
      expect(refused.stderr).toContain('To run several processes, set database.url and queue.url');
      expect(await ingest.stop()).toBe(0);
    },
    SLOW_MS,
  );

  it(
    'take turns on one embedded directory: what one process accepted the next one stores, and another shows',
    async () => {
      const dataDir = temporaryDirectory('roles');
      const ingest = await start(dataDir, {}, 'ingest');
      const answer = await fetch(`${ingest.url}/v1/telemetry`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ device_id: 'esp-1', timestamp: new Date().toISOString(), temperature: 81 }),
      });
      expect(answer.status).toBe(202);
      const refused = await fetch(`${ingest.url}/v1/telemetry`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ device_id: 'esp-1', temperature: 'hot' }),
      });
      expect(refused.status).toBe(400);
      expect((await fetch(`${ingest.url}/v1/devices`)).status).toBe(404);
      expect(await ingest.stop()).toBe(0);
      // It says where it counts what it refused, and has not opened the database for that.
      expect(ingest.log()).toContain('not in the loss ledger');
      expect(ingest.log()).not.toMatch(/ledger_not_written|database_opened/);

      const pipeline = await start(dataDir, {}, 'run', 'jobs', 'pipeline');
      for (const path of ['/v1/telemetry', '/v1/import', '/v1/holds', '/v1/devices', '/'])
        expect([path, (await fetch(pipeline.url + path)).status]).toEqual([path, 404]);
      for (;;) {
        const metrics = await (await fetch(`${pipeline.url}/metrics`)).text();
        if (metrics.includes('telemetry_records_total{outcome="stored"} 1\n')) break;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(await pipeline.stop()).toBe(0);

      const page = await start(dataDir, {}, 'console');
      const { devices } = (await (await fetch(`${page.url}/v1/devices`)).json()) as { devices: object[] };
      expect(devices).toMatchObject([{ device_id: 'esp-1' }]);
      const shown = await (await fetch(`${page.url}/v1/pipeline`)).json();
      expect(shown).toMatchObject({ conservation: null, records_per_second: null, queues: [], dead_letters: [] });
      expect(await page.stop()).toBe(0);
    },
    SLOW_MS,
  );
});
