/** `downhole quality` as a user runs it: through a running service, and without it. */
import { afterEach, expect, it } from 'vitest';
import type { Gaps, Problems, ProblemRecords, QualityList, QualitySummary } from '../../src/quality/quality-schemas.js';
import { runCommand, startService, type Service } from '../support/service.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const SLOW_MS = 120_000;
const RECORDS = 30;

let service: Service | undefined;
afterEach(async () => {
  await service?.kill();
  service = undefined;
});

async function send({ url }: Service): Promise<void> {
  const nowMs = Date.now();
  const records = Array.from({ length: RECORDS }, (_, index) => ({
    device_id: 'Well 7',
    timestamp: new Date(nowMs - (RECORDS - index + (index < 10 ? 1200 : 0)) * 1000).toISOString(),
    temperature: 80,
    vibration: index === 3 ? 900 : 0.2,
    pressure: 200,
    flow_rate: 1500,
  }));
  const response = await fetch(`${url}/v1/telemetry`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(records),
  });
  expect(response.status).toBe(202);
}

it(
  'leads from the fleet to the records of a well',
  async () => {
    const directory = temporaryDirectory('quality-cli');
    const environment = { DOWNHOLE_DATA_DIR: directory };
    const run = async (...args: string[]) => runCommand(['quality', ...args], environment);
    const ask = async <T>(...args: string[]): Promise<T> => {
      const { code, stdout, stderr } = await run(...args, '--json');
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      return JSON.parse(stdout) as T;
    };
    service = await startService(directory);
    await send(service);
    let summary: QualitySummary;
    do summary = await ask<QualitySummary>();
    while (summary.records < RECORDS);
    expect(summary).toMatchObject({ devices: 1, records: RECORDS });

    const check = async (): Promise<void> => {
      const list = await ask<QualityList>('--by', 'device', '--since', '2h');
      expect(list.rows).toMatchObject([{ key: 'Well 7', records: RECORDS, completeness: 1 }]);
      const problems = await ask<Problems>('problems', 'Well 7');
      expect(problems.problems).toContainEqual({ problem: 'impossible:vibration', dimension: 'accuracy', records: 1 });
      const records = await ask<ProblemRecords>('records', 'Well 7', '--problem', 'impossible:vibration');
      expect(records.records).toMatchObject([{ raw_values: { vibration: 900 }, values: { temperature: 80 } }]);
      const gaps = await ask<Gaps>('gaps', 'Well 7');
      expect(gaps.gaps[0]?.seconds).toBeGreaterThan(1190);
    };
    await check();
    expect(await service.stop()).toBe(0);
    service = undefined;
    await check();

    const { stdout } = await run('--by', 'device');
    expect(stdout).toMatch(/device +completeness.*coverage.*\nWell 7 +100\.00/);
    for (const args of [['problems', 'Well 7'], ['records', 'Well 7'], ['gaps', 'Well 7'], []]) {
      const text = await run(...args);
      expect(text.code, args.join(' ')).toBe(0);
      expect(text.stdout.split('\n').length, args.join(' ')).toBeGreaterThan(3);
    }
    for (const wrong of [
      ['--by', 'colour'],
      ['--since', 'yesterday'],
      ['--by', 'device', '--limit', '0'],
      ['records', 'Well 7', '--problem', 'ugly'],
      ['--since', '1h', '--until', '2h'],
    ]) {
      const answer = await run(...wrong);
      expect(answer.code, wrong.join(' ')).toBe(2);
      expect(answer.stderr).not.toContain('    at ');
    }
    expect((await run('gaps', 'nobody')).stderr).toContain('nobody');
  },
  SLOW_MS,
);
