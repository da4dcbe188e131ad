/** `downhole jobs run retain-raw` killed between any two of its steps: every row stays in the table or in a part that counts. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Archiver } from '../../src/archive/archiver.js';
import { DirectoryStore } from '../../src/archive/directory-store.js';
import { acquireDirectoryLock } from '../../src/storage/directory-lock.js';
import type { Database } from '../../src/storage/database.js';
import { migrate } from '../../src/storage/migrator.js';
import { openDatabase } from '../../src/storage/open-database.js';
import { MICROS_PER_DAY } from '../../src/telemetry/timestamp.js';
import { startFaultProxy } from '../support/fault-proxy.js';
import { keptRows, type KeptRows } from '../support/kept-rows.js';
import { recordEvents } from '../support/record-events.js';
import { downhole, runCommand } from '../support/service.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { createScratchDatabase, timescaleServerUrl } from '../support/timescale-targets.js';

const SLOW_MS = 240_000;
const today = Math.floor(Date.now() / 86_400_000);
const DAYS = [50, 49, 48, 47, 46].map((ago) => today - ago);

/** Rows of each day, archived. */
async function fill(database: Database, archive: string): Promise<Archiver> {
  await migrate(database, { events: recordEvents() });
  await database.execute(
    `INSERT INTO telemetry ("timestamp", device_id, temperature)
     SELECT to_timestamp(day * 86400.0 + n * 60), 'well ' || n % 3, n % 100 FROM unnest($1::int[]) AS day, generate_series(0, 299) n`,
    [DAYS],
  );
  const archiver = new Archiver({
    database,
    store: new DirectoryStore(archive),
    events: recordEvents(),
    afterDays: 25,
  });
  expect((await archiver.run({ uncheckedHours: 0 })).counts.archived).toBe(DAYS.length);
  return archiver;
}

async function keptOf(database: Database, archiver: Archiver, archive: string): Promise<KeptRows[]> {
  const found: KeptRows[] = [];
  for (const day of DAYS) found.push(await keptRows(database, archiver, archive, day * MICROS_PER_DAY));
  return found;
}

/** The rows of each day are in its part; and in the table as well, all or none, as the part says. */
async function expectNothingLost(
  database: Database,
  archiver: Archiver,
  archive: string,
  before: readonly KeptRows[],
): Promise<number> {
  const states = (await archiver.list()).map(({ state }) => state);
  const found = await keptOf(database, archiver, archive);
  for (const [index, { table, parts }] of found.entries()) {
    expect(parts).toEqual(before[index]?.parts);
    expect(table).toEqual(states[index] === 'dropped' ? [] : before[index]?.table);
  }
  return states.filter((state) => state === 'dropped').length;
}

describe('a kill of the drop', () => {
  it(
    'leaves whole chunks, embedded',
    async () => {
      const dataDir = temporaryDirectory('drop-kill');
      const archive = temporaryDirectory('drop-kill-archive');
      const environment = {
        DOWNHOLE_DATA_DIR: dataDir,
        DOWNHOLE_ARCHIVE_URL: pathToFileURL(archive).href,
        DOWNHOLE_LOG_LEVEL: 'info',
      };
      const withDatabase = async <T>(work: (database: Database, archiver: Archiver) => Promise<T>): Promise<T> => {
        const lock = await acquireDirectoryLock(dataDir, { command: 'test' });
        const database = await openDatabase(
          { dataDir, database: { url: '', poolSize: 4, statementTimeoutMs: 60_000 } },
          recordEvents(),
        );
        const store = new DirectoryStore(archive);
        try {
          return await work(database, new Archiver({ database, store, events: recordEvents(), afterDays: 25 }));
        } finally {
          await database.close();
          lock.release();
        }
      };
      const before = await withDatabase(async (database, archiver) => {
        await fill(database, archive);
        return keptOf(database, archiver, archive);
      });
      const [program, ...args] = downhole('jobs', 'run', 'retain-raw');
      const child = spawn(program, args, {
        env: { ...process.env, ...environment },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      const exited = once(child, 'exit');
      for await (const chunk of child.stderr) if (String(chunk).includes('chunk_dropped')) break;
      child.kill('SIGKILL');
      await exited;
      const dropped = await withDatabase((database, archiver) =>
        expectNothingLost(database, archiver, archive, before),
      );
      expect(dropped).toBeGreaterThan(0);
      expect(await runCommand(['jobs', 'run', 'retain-raw'], environment)).toMatchObject({ code: 0 });
      expect(await withDatabase((database, archiver) => expectNothingLost(database, archiver, archive, before))).toBe(
        DAYS.length,
      );
    },
    SLOW_MS,
  );

  const server = timescaleServerUrl();
  for (const url of server === undefined ? [] : [server]) {
    it(
      'leaves whole chunks, whatever step it was at, on a server',
      async () => {
        const scratch = await createScratchDatabase(url);
        const archive = temporaryDirectory('drop-kill-archive');
        const proxy = await startFaultProxy(Number(new URL(url).port));
        const database = await openDatabase(
          { dataDir: '', database: { url: scratch.url, poolSize: 4, statementTimeoutMs: 60_000 } },
          recordEvents(),
        );
        onTestFinished(async () => {
          await database.close();
          await proxy.close();
          await scratch.remove();
        });
        const archiver = await fill(database, archive);
        const before = await keptOf(database, archiver, archive);
        const through = new URL(scratch.url);
        through.port = String(proxy.port);
        const environment = {
          DOWNHOLE_DATABASE_URL: through.href,
          DOWNHOLE_DATA_DIR: temporaryDirectory('drop-kill'),
          DOWNHOLE_ARCHIVE_URL: pathToFileURL(archive).href,
        };
        const steps: ['before' | 'after', string][] = [
          ['after', 'SHARE ROW EXCLUSIVE'],
          ['after', 'hash_record_extended'],
          ['before', 'SELECT drop_chunks'],
          ['after', 'SELECT drop_chunks'],
          ['after', `SET state = 'dropped'`],
          ['before', 'COMMIT'],
          ['after', 'COMMIT'],
        ];
        for (const [moment, text] of steps) {
          const [program, ...args] = downhole('jobs', 'run', 'retain-raw');
          const child = spawn(program, args, { env: { ...process.env, ...environment }, stdio: 'ignore' });
          const exited = once(child, 'exit');
          if (text === 'COMMIT') await proxy.once('after', `SET state = 'dropped'`, () => {});
          await proxy.once(moment, text, () => {
            child.kill('SIGKILL');
            if (moment === 'before') proxy.cut();
          });
          expect((await exited)[1]).toBe('SIGKILL');
          const dropped = await expectNothingLost(database, archiver, archive, before);
          expect(dropped, `${moment} ${text}`).toBeLessThanOrEqual(text === 'COMMIT' && moment === 'after' ? 1 : 0);
        }
        const { code, stdout } = await runCommand(['jobs', 'run', 'retain-raw'], environment);
        expect([code, stdout]).toEqual([0, expect.stringMatching(/"dropped":[45]/)]);
        expect(await expectNothingLost(database, archiver, archive, before)).toBe(DAYS.length);
        const { stdout: listed } = await runCommand(['archive', 'list'], environment);
        expect(listed.match(/ dropped /g)).toHaveLength(DAYS.length);
      },
      SLOW_MS,
    );
  }
});
