/** `downhole diagnose` on files, as somebody with a recording would use it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CHANNEL_COUNT, CHANNEL_NAMES } from '../../src/telemetry/channels.js';
import { formatTimestamp } from '../../src/telemetry/timestamp.js';
import { HAND_MADE_FAULTS } from '../support/hand-made-faults.js';
import { handMadeTrace } from '../support/hand-made-trace.js';
import { runCommand } from '../support/service.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const SLOW_MS = 120_000;

/** The rows of a trace, the newest first, as some historians export them. */
function rowsOf(condition: keyof typeof HAND_MADE_FAULTS, device: string | undefined): string[] {
  const batch = handMadeTrace(HAND_MADE_FAULTS[condition][0] as (typeof HAND_MADE_FAULTS)['deadhead'][0]);
  const rows: string[] = [];
  for (let row = batch.length - 1; row >= 0; row--) {
    const values = [...batch.values.subarray(row * CHANNEL_COUNT, (row + 1) * CHANNEL_COUNT)];
    const cells = values.map((value) => (Number.isNaN(value) ? '' : String(Number(value.toFixed(4)))));
    rows.push(
      [...(device === undefined ? [] : [device]), formatTimestamp(batch.timestampUs[row] as number), ...cells].join(),
    );
  }
  return rows;
}

it(
  'names the fault, with evidence, for the devices of one file and for a file that is a device',
  async () => {
    const directory = temporaryDirectory('diagnose');
    const mixed = join(directory, 'mixed.csv');
    const header = ['device_id', 'timestamp', ...CHANNEL_NAMES].join();
    writeFileSync(mixed, [header, ...rowsOf('deadhead', 'b-1'), ...rowsOf('gas_lock', 'a-1')].join('\n'));
    const json = await runCommand(['diagnose', mixed, '--json']);
    expect([json.code, json.stderr]).toEqual([0, '']);
    expect(JSON.parse(json.stdout)).toMatchObject({
      records: 3600,
      rejected: 0,
      devices: 2,
      episodes: [
        { device_id: 'a-1', diagnosis: 'gas_lock', open: true },
        { device_id: 'b-1', diagnosis: 'deadhead', open: true },
      ],
    });
    expect(JSON.parse(json.stdout)).toHaveProperty(
      'episodes.1.evidence.for.0',
      expect.stringMatching(/^wellhead pressure rose by \d+ % \(from \d+ psi to \d+ psi\)$/),
    );

    const alone = join(directory, 'esp-042.csv');
    writeFileSync(alone, [`timestamp,${CHANNEL_NAMES.join()}`, ...rowsOf('broken_shaft', undefined)].join('\n'));
    const text = await runCommand(['diagnose', alone]);
    expect([text.code, text.stderr]).toEqual([0, '']);
    // It broke at midnight; a start is known to some buckets of ten seconds.
    expect(text.stdout).toMatch(
      /^esp-042 {2}(2025-12-31T23:59:[345]|2026-01-01T00:0)\S* … going on \(15 min\) {2}broken shaft, confidence 0\.\d\d$/m,
    );
    expect(text.stdout).toMatch(/^ {2}for {6}motor current fell by 62 %/m);
    expect(text.stdout).toContain('1 episodes in 1800 records of 1 devices\n');
  },
  SLOW_MS,
);

it(
  'says what is wrong with its arguments and files',
  async () => {
    const missing = await runCommand(['diagnose', 'nowhere.csv']);
    expect([missing.code, missing.stdout]).toEqual([1, '']);
    expect(missing.stderr).toContain('nowhere.csv cannot be read: there is no such file; correct the name');
    expect((await runCommand(['diagnose'])).code).toBe(2);
    const wrong = await runCommand(['diagnose', 'nowhere.csv', '--mapping', 'nowhere.yaml']);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('The mapping file nowhere.yaml cannot be read');
  },
  SLOW_MS,
);

/** What `diagnose --json` says of some rows. */
async function told(name: string, rows: readonly string[], header = 'timestamp,motor_current,intake_pressure') {
  const file = join(temporaryDirectory('diagnose'), `${name}.csv`);
  writeFileSync(file, [header, ...rows].join('\n'));
  const { code, stdout, stderr } = await runCommand(['diagnose', file, '--json']);
  return { code, stderr, json: stdout === '' ? undefined : (JSON.parse(stdout) as { notes: string[] }) };
}

/** Times of a minute apart. */
const minutes = (count: number): string[] =>
  Array.from({ length: count }, (_, at) => formatTimestamp(1_767_225_600e6 + at * 60e6));

it(
  'says what it did not take, and what it could not judge',
  async () => {
    const words = await told(
      'words',
      minutes(40).map((time, at) => `${time},${at % 2 === 0 ? '50' : 'Bad'},900`),
    );
    expect(words).toMatchObject({ code: 0, stderr: '', json: { records: 20, rejected: 20, episodes: [] } });
    expect(words.json?.notes).toEqual([
      expect.stringMatching(/^20 rows refused, the first: \S*words\.csv:3: .*motor_current.*"Bad"/),
    ]);

    const apart = await told(
      'apart',
      minutes(30).flatMap((time) => [`${time},50,`, `${time},,900`, `${time},51,900`]),
    );
    expect(apart).toMatchObject({ code: 0, json: { records: 30, rejected: 0 } });
    expect(apart.json?.notes).toEqual([
      '60 rows have the device and the time of another one and were taken as part of it; 30 of them contradict it, and what came first stays',
    ]);

    const strange = await told(
      'strange',
      minutes(30).map((time) => `${time},1,2`),
      'timestamp,amps,pip',
    );
    expect(strange.json?.notes).toEqual([
      expect.stringMatching(/^no row has a reading of any channel: a mapping says/),
    ]);
    expect(
      (
        await told(
          'single',
          minutes(1).map((time) => `${time},50,900`),
        )
      ).json?.notes,
    ).toEqual([expect.stringMatching(/^1 records of 1 devices are too few: /)]);
  },
  SLOW_MS,
);

it(
  'fails where no row can be read, and says which was the first and why',
  async () => {
    const naive = await told(
      'naive',
      minutes(30).map((time) => `${time.slice(0, -1)},50,900`),
    );
    expect(naive).toMatchObject({ code: 1, json: undefined });
    expect(naive.stderr).toMatch(
      /Nothing can be diagnosed from \S*naive\.csv: 30 rows refused, the first: \S*naive\.csv:2: .*offset/,
    );
    const bare = await told('bare', []);
    expect(bare).toMatchObject({ code: 1, json: undefined });
    expect(bare.stderr).toMatch(/Nothing can be diagnosed from \S*bare\.csv: there are no rows in it/);
  },
  SLOW_MS,
);
