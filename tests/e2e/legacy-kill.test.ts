/** `downhole legacy migrate` as a process of its own: killed again and again, and begun again where it was. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { compareWithExpected, createLegacyTable, startWriters, withClient } from '../support/legacy-table.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { downhole, runCommand } from '../support/service.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const SLOW_MS = 240_000;
const ROWS = 50_000;

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.remove());

const environmentOf = (url: string): Record<string, string> => ({
  DOWNHOLE_DATABASE_URL: url,
  DOWNHOLE_DATA_DIR: temporaryDirectory('legacy'),
  DOWNHOLE_TEST_PLAIN_SCHEMA: '1',
});

/** Starts it, and kills it once it is at a stage, a while later. Where it ended by itself before, that is fine too. */
async function killDuring(url: string, stage: string, afterMs: number): Promise<void> {
  const [program, ...args] = downhole('legacy', 'migrate', '--rate', '15000');
  const child = spawn(program, args, {
    env: { ...process.env, ...environmentOf(url) },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  for await (const chunk of child.stderr) if (String(chunk).includes(stage)) break;
  await sleep(afterMs);
  child.kill('SIGKILL');
  await exited;
}

describe('downhole legacy', () => {
  it(
    'goes on after every kill, and loses nothing of what is written meanwhile',
    async () => {
      const url = await server.createDatabase();
      await createLegacyTable(url, { rows: ROWS });
      const writers = startWriters(url);
      onTestFinished(() => writers.stop());
      for (const stage of [
        'making the new tables',
        'mirroring',
        'copying',
        'copying',
        'comparing',
        'swapping',
        'registering',
      ])
        await killDuring(url, stage, Math.random() * 300);
      expect(await runCommand(['legacy', 'migrate'], environmentOf(url))).toMatchObject({ code: 0 });
      await writers.stop();
      expect(await compareWithExpected(url, 'telemetry + legacy_set_aside')).toEqual({ lost: [], extra: [] });
      const { code, stdout } = await runCommand(['migrate', 'status'], environmentOf(url));
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/0014\S+ +20/) as unknown });
      expect(await runCommand(['legacy', 'finish', '--drop-old'], environmentOf(url))).toMatchObject({
        code: 0,
        stdout: 'finished: telemetry_old is dropped\n',
      });
    },
    SLOW_MS,
  );

  it(
    'says what it would do, and what it did',
    async () => {
      const url = await server.createDatabase();
      const environment = environmentOf(url);
      expect(await runCommand(['legacy', 'inspect'], environment)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('has no table telemetry') as unknown,
      });
      await createLegacyTable(url, { rows: 100 });
      const shown = await runCommand(['legacy', 'migrate', '--dry-run', '--scan'], environment);
      expect(shown).toMatchObject({ code: 0 });
      expect(shown.stdout).toMatch(
        /^table +public\.telemetry\ncolumns +device_id → device_id, timestamp → timestamp, temperature → temperature/,
      );
      expect(shown.stdout).toMatch(/set aside 7 impossible and 2 duplicate of 110 rows/);
      expect(await runCommand(['migrate'], environment)).toMatchObject({ code: 1 });
      const copied = await runCommand(['legacy', 'migrate', '--no-swap'], environment);
      expect(copied.stdout).toMatch(
        /^110 rows of 4 days = 101 copied \+ 9 set aside\nevery day has the same rows\nnot swapped/,
      );
      expect(copied.stderr).toMatch(/100 % \| 110 rows \| \d+ rows\/s \| 0 s to go/);
      await withClient(url, (client) =>
        client.query(`UPDATE downhole_legacy.telemetry SET temperature = 1 WHERE device_id = 'Well 5'`),
      );
      const differing = await runCommand(['legacy', 'verify'], environment);
      expect(differing.code).toBe(1);
      expect(differing.stdout).toMatch(
        /2026-10-01: 102 old, 100 new, 2 set aside: NOT THE SAME\n1 days are not the same/,
      );
      expect(await runCommand(['legacy', 'migrate'], environment)).toMatchObject({ code: 1 });
      expect(await runCommand(['legacy', 'rollback'], environment)).toMatchObject({
        code: 0,
        stdout: 'rolled back: telemetry is the old table\n',
      });
      expect(await compareWithExpected(url, 'telemetry')).toEqual({ lost: [], extra: [] });
    },
    SLOW_MS,
  );
});
