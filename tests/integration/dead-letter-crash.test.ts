/** Replays that are killed, and replays that race: every letter ends in exactly one row and one act. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Database } from '../../src/storage/database.js';
import { migrate } from '../../src/storage/migrator.js';
import { ServerDatabase } from '../../src/storage/server-database.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { recordEvents } from '../support/record-events.js';

const SCRIPT = fileURLToPath(new URL('../support/replay-process.mjs', import.meta.url));
const LETTERS = 400;

let server: PostgresServer;
let url: string;
let database: Database;

beforeAll(async () => {
  server = await startPostgres();
  url = await server.createDatabase();
  database = await ServerDatabase.open({ url, poolSize: 4, statementTimeoutMs: 30_000 }, recordEvents());
  await migrate(database, { events: recordEvents(), subset: 'plain' });
}, 60_000);
afterAll(async () => {
  await database.close();
  await server.remove();
});

/** Letters of a record each, about a well of their own. */
async function giveLetters(device: string): Promise<void> {
  await database.execute(
    `INSERT INTO dead_letters (id, code, error, original)
     SELECT md5(record) || md5(record || 'x'), 'too_many_devices', 'why', convert_to(record, 'UTF8')
     FROM (SELECT format('{"device_id":"%s","timestamp":"2026-11-01T00:00:00Z","timestamp_unit":"s","temperature":80}', $1 || n) AS record
       FROM generate_series(1, ${LETTERS}) n) AS records`,
    [device],
  );
}

function startReplay() {
  const child = spawn(process.execPath, [SCRIPT, url], { stdio: ['ignore', 'pipe', 'inherit'] });
  return { child, exited: once(child, 'exit') };
}

/** Letters that say that they are replayed, and rows: the same ones at every moment. */
async function expectConsistent(device: string): Promise<number> {
  const [row] = await database.query<{ replayed: number; rows: number; acts: number }>(
    `SELECT (SELECT count(*)::int FROM dead_letters d JOIN telemetry t ON strpos(convert_from(d.original, 'UTF8'), '"' || t.device_id || '"') > 0
         WHERE d.state = 'replayed' AND starts_with(t.device_id, $1)) AS replayed,
       (SELECT count(*)::int FROM telemetry WHERE starts_with(device_id, $1)) AS rows,
       (SELECT count(*)::int FROM audit_log a JOIN dead_letters d ON d.id = a.target
         WHERE strpos(convert_from(d.original, 'UTF8'), '"' || $1) > 0) AS acts`,
    [device],
  );
  const { replayed, rows, acts } = row as { replayed: number; rows: number; acts: number };
  expect([replayed, acts]).toEqual([rows, rows]);
  return rows;
}

it('killed again and again, a replay goes on where it was', async () => {
  await giveLetters('killed-');
  let done = 0;
  for (let round = 0; done < LETTERS; round++) {
    const { child, exited } = startReplay();
    if (round < 5) {
      // In the middle of some transaction, soon after the first one has been committed.
      await Promise.race([once(child.stdout, 'data'), exited]);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 40));
      child.kill('SIGKILL');
    }
    await exited;
    done = await expectConsistent('killed-');
  }
  expect(await database.query(`SELECT state, outcome, count(*)::int AS n FROM dead_letters GROUP BY 1, 2`)).toEqual([
    { state: 'replayed', outcome: { stored: 1 }, n: LETTERS },
  ]);
}, 120_000);

it('two that race share the letters', async () => {
  await giveLetters('raced-');
  const replays = [startReplay(), startReplay()];
  const counts = replays.map(() => 0);
  replays.forEach(({ child }, index) =>
    child.stdout.on('data', (chunk: Buffer) => {
      for (const count of chunk.toString().trim().split('\n'))
        counts[index] = (counts[index] as number) + Number(count);
    }),
  );
  expect((await Promise.all(replays.map(({ exited }) => exited))).map(([code]) => code as number)).toEqual([0, 0]);
  expect(await expectConsistent('raced-')).toBe(LETTERS);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(LETTERS);
}, 60_000);
