/** Two processes with jobs on one server: never the same lane at once, and one goes on where the other is killed. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Database } from '../../src/storage/database.js';
import { openPlainTarget, type PlainTarget } from '../support/storage-targets.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';

const PROGRAM = fileURLToPath(new URL('../support/jobs-process.mjs', import.meta.url));

let server: PostgresServer;
let target: PlainTarget;
let database: Database;
const children: ChildProcess[] = [];

beforeAll(async () => {
  server = await startPostgres();
  target = await openPlainTarget(server);
  database = target.database;
  await database.script('CREATE TABLE inside (lane text PRIMARY KEY, pid int); CREATE TABLE ran (pid int)');
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await target?.remove();
  await server?.remove();
});

async function startJobs(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [PROGRAM, target.url], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout, 'data');
  return child;
}

const runsOf = async (child: ChildProcess): Promise<number> =>
  (await database.query<{ n: number }>('SELECT count(*)::int AS n FROM ran WHERE pid = $1', [child.pid as number]))[0]
    ?.n ?? 0;

it('never runs jobs of a lane twice at once, and goes on when one of two processes is killed', async () => {
  const [first, second] = [await startJobs(), await startJobs()];
  await expect.poll(() => runsOf(first), { timeout: 60_000 }).toBeGreaterThan(5);
  await expect.poll(() => runsOf(second), { timeout: 60_000 }).toBeGreaterThan(5);
  expect(await database.query(`SELECT error FROM job_runs WHERE result = 'failed'`)).toEqual([]);

  first.kill('SIGKILL');
  await once(first, 'exit');
  await database.execute('DELETE FROM inside WHERE pid = $1', [first.pid as number]);
  const runsThen = await runsOf(second);
  await expect.poll(() => runsOf(second), { timeout: 60_000 }).toBeGreaterThan(runsThen + 5);
  second.kill('SIGTERM');
  expect(await once(second, 'exit')).toEqual([0, null]);
  const failures = await database.query<{ error: string }>(`SELECT error FROM job_runs WHERE result = 'failed'`);
  // Of the killed one's run, and of those that met the row that it left.
  expect(failures.filter(({ error }) => !/^interrupted|inside_pkey/.test(error))).toEqual([]);
  expect(await database.query(`SELECT FROM job_runs WHERE result = 'running'`)).toEqual([]);
});
