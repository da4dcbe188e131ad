import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { downhole, runCommand, settled, startService, type Service } from '../support/service.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

let service: Service | undefined;
afterEach(async () => {
  await service?.kill();
  service = undefined;
});

const SLOW_MS = 120_000;

describe('downhole', () => {
  it('explains itself, and says 2 where it is used wrongly', async () => {
    const help = await runCommand(['--help']);
    expect(help.code).toBe(0);
    expect(help.stdout).toContain('up');
    const unknown = await runCommand(['dance']);
    expect([unknown.code, unknown.stdout]).toEqual([2, '']);
    expect(unknown.stderr).toContain("unknown command 'dance'");
  });

  it.each([['--help'], ['config', 'show', '--json'], ['archive', 'list', '--help'], ['policy', 'check']])(
    'ends without a word when nobody reads what it writes: %s',
    async (...args) => {
      const [program, ...rest] = downhole(...args);
      const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
      child.stdout.destroy();
      let complaints = '';
      child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
      const [code] = (await once(child, 'close')) as [number | null];
      expect([code, complaints]).toEqual([141, '']);
    },
  );

  it('refuses a wrong configuration with place, value and remedy', async () => {
    const file = join(temporaryDirectory('config'), 'downhole.yaml');
    writeFileSync(file, 'http:\n  port: eighty\n  prot: 80\n');
    const refused = await runCommand(['--config', file, 'up'], { DOWNHOLE_PIPELINE_BATCH_RECORDS: '0' });
    expect([refused.code, refused.stdout]).toEqual([2, '']);
    expect(refused.stderr).toMatch(/http\.port .*downhole\.yaml:2:9/);
    expect(refused.stderr).toContain('DOWNHOLE_PIPELINE_BATCH_RECORDS');
    expect(refused.stderr).toMatch(/http\.prot.*http\.port/);
  });

  it('shows the configuration with the origin of every value, secrets masked', async () => {
    const directory = temporaryDirectory('config');
    const [file, secret] = [join(directory, 'downhole.yaml'), join(directory, 'url')];
    writeFileSync(file, 'http:\n  port: 9000\n');
    writeFileSync(secret, 'postgres://ada:geheim@db.example/telemetry\n');
    const environment = { DOWNHOLE_DATABASE_URL_FILE: secret, DOWNHOLE_SIMULATOR_WELLS: '3' };
    const shown = await runCommand(['config', 'show', '--config', file], environment);
    expect([shown.code, shown.stderr]).toEqual([0, '']);
    expect(shown.stdout).toMatch(/^http\.port +9000 +.*downhole\.yaml:2:9$/m);
    expect(shown.stdout).toMatch(/^logLevel +"info" +default$/m);
    expect(shown.stdout).toMatch(
      /^database\.url +"postgres:\/\/ada:\*\*\*@db\.example\/telemetry" +DOWNHOLE_DATABASE_URL_FILE$/m,
    );
    const json = await runCommand(['-c', file, 'config', 'show', '--json'], environment);
    const keys = JSON.parse(json.stdout) as { key: string; value: unknown; origin: string }[];
    expect(keys).toContainEqual({ key: 'simulator.wells', value: 3, origin: 'DOWNHOLE_SIMULATOR_WELLS' });
    expect(json.stdout).not.toContain('geheim');
  });

  it('checks the configuration: 0, or 2 with every problem; what does not answer is 1', async () => {
    const file = join(temporaryDirectory('config'), 'downhole.yaml');
    writeFileSync(file, 'queue:\n  url: amqp://127.0.0.1:1\n');
    const valid = await runCommand(['config', 'check', '--config', file]);
    expect(valid).toEqual({ code: 0, stdout: 'The configuration is valid.\n', stderr: '' });
    const connected = await runCommand(['config', 'check', '--connect', '--config', file]);
    expect(connected.code).toBe(1);
    expect(connected.stdout).toMatch(/^queue +FAILED +RabbitMQ cannot be reached at 127\.0\.0\.1:1/m);
    expect(connected.stderr).toContain('Not usable: queue');
    writeFileSync(file, 'queue:\n  ulr: x\nhttp:\n  port: many\n');
    const invalid = await runCommand(['config', 'check', '--config', file]);
    expect([invalid.code, invalid.stdout]).toEqual([2, '']);
    expect(invalid.stderr).toMatch(/queue\.ulr \(.*downhole\.yaml:2:3\) is not a key; did you mean queue\.url\?/);
    expect(invalid.stderr).toMatch(/http\.port \(.*downhole\.yaml:4:9\) is "many"/);
    for (const command of ['show', 'check']) {
      const help = await runCommand(['config', command, '--help']);
      expect([help.code, help.stdout.includes(`Examples:\n  downhole config ${command} `)]).toEqual([0, true]);
    }
  });

  it(
    'says so when the port is taken, and leaves nothing behind that keeps the next start away',
    async () => {
      const other = createServer().listen(0, '127.0.0.1');
      await once(other, 'listening');
      const { port } = other.address() as { port: number };
      const directory = temporaryDirectory('port');
      const environment = {
        DOWNHOLE_DATA_DIR: directory,
        DOWNHOLE_HTTP_PORT: String(port),
        DOWNHOLE_SIMULATOR_WELLS: '0',
      };
      const refused = await runCommand(['up'], environment);
      other.close();
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain(`port ${port} on 127.0.0.1 is in use`);
      service = await startService(directory);
      expect(await service.stop()).toBe(0);
    },
    SLOW_MS,
  );

  it.each<[string, (pid: number) => void]>([
    ['to npm alone', (pid) => process.kill(pid, 'SIGINT')],
    ['as Ctrl-C, to npm and all that it started', (pid) => process.kill(-pid, 'SIGINT')],
    ['to end npm', (pid) => process.kill(pid, 'SIGTERM')],
  ])(
    'under npm start stops cleanly on a signal %s',
    async (_name, send) => {
      service = await startService(temporaryDirectory('npm'), {}, ['npm', 'start']);
      const { process: npm, log } = service;
      const exited = once(npm, 'exit');
      send(npm.pid as number);
      expect(await exited).toEqual([0, null]);
      expect(log()).toContain('"event":"stopped"');
    },
    SLOW_MS,
  );

  it(
    'stops cleanly on a signal and shows the same data after a restart',
    async () => {
      const directory = temporaryDirectory('restart');
      service = await startService(directory);
      const records = Array.from({ length: 30 }, (_, index) => ({
        device_id: 'esp-1',
        timestamp: new Date(Date.now() - index * 1000).toISOString(),
        temperature: 80 + index,
        pressure: index === 0 ? -999_999 : 500,
      }));
      const answer = await fetch(`${service.url}/v1/telemetry`, {
        method: 'POST',
        body: JSON.stringify(records),
        headers: { 'content-type': 'application/json' },
      });
      expect(await answer.json()).toEqual({ accepted: 30, rejected: [] });
      await settled(service);
      expect(await service.stop()).toBe(0);
      service = await startService(directory);
      const { devices } = (await (await fetch(`${service.url}/v1/devices`)).json()) as {
        devices: { device_id: string; values: Record<string, { value: number }> }[];
      };
      expect(devices.map(({ device_id, values }) => [device_id, values['temperature']?.value])).toEqual([
        ['esp-1', 80],
      ]);
      const series = (await (
        await fetch(`${service.url}/v1/devices/esp-1/series?channels=temperature&points=1000`)
      ).json()) as { source: string; channels: Record<string, { avg: number[] }> };
      expect(series.source).toBe('raw');
      expect(series.channels['temperature']?.avg).toEqual(records.map(({ temperature }) => temperature).toReversed());

      const second = await runCommand(['up'], { DOWNHOLE_DATA_DIR: directory, DOWNHOLE_HTTP_PORT: '0' });
      expect(second.code).toBe(1);
      expect(second.stderr).toContain(service.url);
      expect(second.stderr).toContain(String(service.process.pid));
      expect(await service.stop()).toBe(0);

      const status = await runCommand(['migrate', 'status'], { DOWNHOLE_DATA_DIR: directory });
      expect(status.code).toBe(0);
      expect(status.stdout).toMatch(/^0001_telemetry/);
      expect(status.stdout).toMatch(/, 0 pending\n$/);

      const format = join(directory, 'format.json');
      writeFileSync(format, readFileSync(format, 'utf8').replace(/\d+/, '99'));
      const newer = await runCommand(['up'], { DOWNHOLE_DATA_DIR: directory, DOWNHOLE_HTTP_PORT: '0' });
      expect(newer.code).toBe(1);
      expect(newer.stderr).toMatch(/newer version/i);
    },
    SLOW_MS,
  );
});
