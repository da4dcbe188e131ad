/** `downhole import` as a user runs it: a process of its own, a data directory, a service where there is one. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { inspect } from '../support/inspection.js';
import { runCommand, startService } from '../support/service.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const CLI = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url));
const skab = fileURLToPath(new URL('../../examples/skab/', import.meta.url));
const skabMapping = join(skab, 'mapping.yaml');
const skabFiles = readdirSync(join(skab, 'data'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.csv'))
  .map((name) => join(skab, 'data', name));

const MAPPING = `
device: {constant: pump-1}
time: {column: time, format: epoch-s}
columns:
  Amps: {channel: motor_current, unit: A}
`;

/** A directory with a mapping and a data file of so many rows. */
function prepare(rows: number): { dataDir: string; mapping: string; file: string } {
  const directory = temporaryDirectory('import');
  const mapping = join(directory, 'mapping.yaml');
  const file = join(directory, 'pump.csv');
  writeFileSync(mapping, MAPPING);
  const lines = Array.from({ length: rows }, (_, row) => `${1_583_748_000 + row};${(row % 97) / 10}`);
  writeFileSync(file, `time;Amps\n${lines.join('\n')}\n`);
  return { dataDir: join(directory, 'data'), mapping, file };
}

async function runImport(
  dataDir: string,
  ...args: string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return runCommand(['import', ...args], { DOWNHOLE_DATA_DIR: dataDir });
}

async function getJson(url: string): Promise<unknown> {
  const response = await fetch(url);
  expect(response.status).toBe(200);
  return response.json();
}

describe('the pump data of the example', () => {
  const rows = skabFiles.reduce((sum, file) => sum + readFileSync(file, 'utf8').trimEnd().split('\n').length - 1, 0);

  it('goes in with one command, a device per file, every row of it, and once only', { timeout: 120_000 }, async () => {
    const dataDir = join(temporaryDirectory('import'), 'data');
    expect(skabFiles).toHaveLength(18);
    const first = await runImport(dataDir, ...skabFiles, '--mapping', skabMapping);
    expect(first.stderr).toContain('100%');
    expect(first.stdout).toBe(`stored ${rows}, merged 0, duplicate 0, dead-lettered 0, of ${rows}\n`);
    expect(first.code).toBe(0);
    expect(readdirSync(join(dataDir, 'imports'))).toEqual([]);

    const second = await runImport(dataDir, ...skabFiles, '--mapping', skabMapping, '--hold', 'reference data');
    expect(second.stdout).toBe(`stored 0, merged 0, duplicate ${rows}, dead-lettered 0, of ${rows}\n`);
    expect(second.code).toBe(0);

    const service = await startService(dataDir);
    try {
      const { devices } = (await getJson(`${service.url}/v1/devices`)) as { devices: { device_id: string }[] };
      const names = devices.map((device) => device.device_id);
      expect(names).toHaveLength(18);
      expect(names).toEqual(expect.arrayContaining(['skab-valve1-0', 'skab-valve2-0', 'skab-anomaly-free-1']));
      const { holds } = (await getJson(`${service.url}/v1/holds`)) as {
        holds: { device_id: string; reason: string }[];
      };
      expect(new Set(holds.map((hold) => hold.device_id)).size).toBe(18);
      expect(new Set(holds.map((hold) => hold.reason))).toEqual(new Set(['reference data']));

      const range = 'from=2020-03-09T10:14:33Z&to=2020-03-09T10:14:36Z';
      const channels = 'vibration,pressure,motor_temperature,temperature,flow_rate,motor_current';
      const series = (await getJson(
        `${service.url}/v1/devices/skab-valve1-0/series?${range}&channels=${channels}&points=100`,
      )) as { source: string; timestamps: number[]; channels: Record<string, { avg: number[] }> };
      expect(series.source).toBe('raw');
      expect(series.timestamps[0]).toBe(Date.UTC(2020, 2, 9, 10, 14, 33) / 1000);
      const shown = (name: string): number => series.channels[name]?.avg[0] ?? Number.NaN;
      expect(shown('vibration')).toBeCloseTo(0.0265878, 6);
      expect(shown('pressure')).toBeCloseTo(0.054711 * 14.5037738, 4);
      expect(shown('motor_temperature')).toBeCloseTo(79.3366, 3);
      expect(shown('temperature')).toBeCloseTo(26.0199, 3);
      expect(shown('motor_current')).toBeCloseTo(1.3302, 4);
      expect(shown('flow_rate')).toBeCloseTo((32 * 1.44) / 0.158987294928, 2);

      // The day's aggregates were refreshed by the import, years after the fact.
      const month = 'from=2020-02-01T00:00:00Z&to=2020-04-01T00:00:00Z';
      const coarse = (await getJson(
        `${service.url}/v1/devices/skab-valve1-0/series?${month}&channels=temperature&points=50`,
      )) as { source: string; channels: Record<string, { avg: (number | null)[] }> };
      expect(coarse.source).not.toBe('raw');
      expect(coarse.channels['temperature']?.avg.some((value) => value !== null && value > 20)).toBe(true);

      // While the service runs, the same command goes through it.
      const third = await runImport(dataDir, skabFiles[0] as string, '--mapping', skabMapping);
      expect(third.stderr).toContain(`importing through the service at ${service.url}`);
      expect(third.stdout).toMatch(/^stored 0, merged 0, duplicate (\d+), dead-lettered 0, of \1\n$/);
      expect(third.code).toBe(0);
    } finally {
      await service.stop();
    }
  });
});

describe('an import', () => {
  it(
    'that is killed goes on from where it was, and its counts are those of the file',
    { timeout: 120_000 },
    async () => {
      const rows = 30_000;
      const { dataDir, mapping, file } = prepare(rows);
      const child = spawn(process.execPath, [CLI, 'import', file, '--mapping', mapping], {
        env: { ...process.env, DOWNHOLE_DATA_DIR: dataDir },
        stdio: 'ignore',
      });
      const exited = once(child, 'exit');
      let hasExited = false;
      void exited.then(() => (hasExited = true));
      const imports = join(dataDir, 'imports');
      while (!hasExited && !(existsSync(imports) && readdirSync(imports).some((name) => name.endsWith('.json'))))
        await new Promise((resolve) => setTimeout(resolve, 5));
      child.kill('SIGKILL');
      await exited;

      const [name] = readdirSync(imports).filter((entry) => entry.endsWith('.json'));
      const left = JSON.parse(readFileSync(join(imports, name as string), 'utf8')) as { outcomes: { stored: number } };
      expect(left.outcomes.stored).toBeGreaterThan(0);
      expect(left.outcomes.stored).toBeLessThan(rows);

      // Asked for only now, the hold is about the whole file all the same.
      const resumed = await runImport(dataDir, file, '--mapping', mapping, '--hold', 'reference data');
      expect(resumed.code).toBe(0);
      const counts = /^stored (\d+), merged 0, duplicate (\d+), dead-lettered 0, of (\d+)\n$/.exec(resumed.stdout);
      const [, stored, duplicate, of] = (counts ?? []).map(Number);
      expect(of).toBe(rows);
      expect((stored ?? 0) + (duplicate ?? 0)).toBe(rows);
      // What was under way when it was killed comes back as duplicate: two batches at most.
      expect(duplicate).toBeLessThanOrEqual(4000);

      const held = await inspect(dataDir, (database) =>
        database.query(
          `SELECT extract(epoch FROM range_from)::int AS from_s, extract(epoch FROM range_to) AS to_s FROM holds`,
        ),
      );
      expect(held).toEqual([{ from_s: 1_583_748_000, to_s: `${1_583_748_000 + rows - 1}.000001` }]);

      const again = await runImport(dataDir, file, '--mapping', mapping);
      expect(again.stdout).toBe(`stored 0, merged 0, duplicate ${rows}, dead-lettered 0, of ${rows}\n`);
    },
  );

  it('sets aside what cannot be stored and says so', { timeout: 60_000 }, async () => {
    const { dataDir, mapping, file } = prepare(5);
    writeFileSync(
      file,
      'time;Amps\n1583748000;1\n1583748001\nyesterday;3\n1583748003;"4\n1583748004;many\n1583748005;6\n1583748005;7\n99999999999;8\n',
    );
    const service = await startService(dataDir);
    try {
      const { code, stdout, stderr } = await runImport(dataDir, file, '--mapping', mapping, '--device', 'pump-2');
      expect(stdout).toBe('stored 2, merged 0, duplicate 0, dead-lettered 6, of 8\n');
      expect(stderr).toContain('6 rows could not be stored; the table dead_letters has each with its reason');
      expect(code).toBe(0);
      const { devices } = (await getJson(`${service.url}/v1/devices`)) as { devices: { device_id: string }[] };
      expect(devices.map((device) => device.device_id)).toEqual(['pump-2']);
    } finally {
      await service.stop();
    }
  });

  it('is refused with exit code 2 before anything happens when it was not meant like that', async () => {
    const { dataDir, mapping, file } = prepare(5);
    const other = join(dataDir, '..', 'other.csv');
    writeFileSync(other, 'time;Ampere\n1;2\n');
    const attempts: [string[], RegExp][] = [
      [[], /missing required argument/],
      [[file, other, '--device', 'x', '--mapping', mapping], /--device names one device, and there are 2 files/],
      [[file, '--mapping', join(dataDir, 'none.yaml')], /mapping file .* cannot be read/],
      [[file, other, '--mapping', mapping], /other\.csv does not fit the mapping; .*time, Ampere/s],
      [[file, '--mapping', file], /The mapping cannot be used/],
      [[file, '--mapping', mapping, '--device', 'x'.repeat(200)], /device_id has 200 characters/],
      [[file], /there is no column "timestamp" \(the time\)/],
    ];
    for (const [args, message] of attempts) {
      const { code, stdout, stderr } = await runImport(dataDir, ...args);
      expect(stderr).toMatch(message);
      expect(stdout).toBe('');
      expect(code).toBe(2);
    }
    expect(existsSync(dataDir)).toBe(false);
    const missing = await runImport(dataDir, join(dataDir, 'none.csv'), '--mapping', mapping);
    expect(missing).toMatchObject({ code: 1, stdout: '' });
    expect(missing.stderr).toContain('cannot be read');
  });
});
