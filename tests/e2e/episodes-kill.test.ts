/** The role `jobs` killed in the middle of looking for episodes, at one step after another: what is found is what would have been found. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { actOnEpisode } from '../../src/episodes/episode-acts.js';
import { migrate } from '../../src/storage/migrator.js';
import { openDatabase } from '../../src/storage/open-database.js';
import type { Database } from '../../src/storage/database.js';
import { startFaultProxy } from '../support/fault-proxy.js';
import { HAND_MADE_FAULTS } from '../support/hand-made-faults.js';
import { handMadeTrace, type TraceSpec } from '../support/hand-made-trace.js';
import { startPostgres } from '../support/postgres.js';
import { recordEvents } from '../support/record-events.js';
import { downhole, runCommand, type Service, startService } from '../support/service.js';
import { storeTrace } from '../support/stored-trace.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { createScratchDatabase, timescaleServerUrl } from '../support/timescale-targets.js';

const SLOW_MS = 300_000;
const FAULTS = ['deadhead', 'gas_lock', 'tubing_leak'] as const;
const TRACES = FAULTS.map((condition) => {
  const spec = HAND_MADE_FAULTS[condition][0] as TraceSpec;
  const times = { intervalSeconds: 10, beforeSeconds: 1800, duringSeconds: 600, afterSeconds: 1800 };
  return { device: `well with ${condition}`, trace: handMadeTrace({ ...spec, ...times }) };
});
const ROWS = TRACES[0]?.trace.length as number;

/** When the process dies: before or after it has sent this to the database; and how much later than what was saved is saved. */
const STEPS: readonly { moment: 'before' | 'after'; text: string; saveSeconds: number }[] = [
  { moment: 'before', text: 'INSERT INTO episode_states', saveSeconds: 1 },
  { moment: 'after', text: 'COMMIT', saveSeconds: 1 },
  { moment: 'after', text: 'FROM episode_states', saveSeconds: 1 },
  { moment: 'before', text: 'INSERT INTO episode_watermarks', saveSeconds: 600 },
  { moment: 'after', text: 'COMMIT', saveSeconds: 600 },
  { moment: 'after', text: 'INSERT INTO episodes AS e', saveSeconds: 600 },
  { moment: 'before', text: 'COMMIT', saveSeconds: 1 },
  { moment: 'after', text: 'INSERT INTO episode_states', saveSeconds: 1 },
];

interface Server {
  readonly name: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Two empty databases, and the port at which they are. */
  open(): Promise<{ urls: [string, string]; port: number; remove(): Promise<unknown> }>;
}

const postgres: Server = {
  name: 'PostgreSQL',
  environment: { DOWNHOLE_TEST_PLAIN_SCHEMA: '1' },
  async open() {
    const server = await startPostgres();
    const urls: [string, string] = [await server.createDatabase(), await server.createDatabase()];
    return { urls, port: server.port, remove: () => server.remove() };
  },
};

const timescale = (url: string): Server => ({
  name: 'TimescaleDB',
  environment: {},
  async open() {
    const [one, other] = [await createScratchDatabase(url), await createScratchDatabase(url)];
    const remove = async (): Promise<void> => {
      await one.remove();
      await other.remove();
    };
    return { urls: [one.url, other.url], port: Number(new URL(url).port), remove };
  },
});

const serverUrl = timescaleServerUrl();
const SERVERS = [postgres, ...(serverUrl === undefined ? [] : [timescale(serverUrl)])];

const found = (database: Database): Promise<Record<string, unknown>[]> =>
  database.query(
    `SELECT device_id, started_at::text AS start, found_at::text AS found, last_at::text AS last, ended_at::text AS end, diagnosis,
       confidence, channel, evidence, alternatives, cause, anomalous_records, detector, judged_by
     FROM episodes ORDER BY device_id, started_at`,
  );

describe.each(SERVERS)('a kill of the role jobs, $name', ({ environment, open }) => {
  it(
    'leaves no episode out, makes none twice, and takes nothing back that somebody has said of one',
    async () => {
      const { urls, port, remove } = await open();
      const proxy = await startFaultProxy(port);
      const [database, reference] = await Promise.all(urls.map(openTables));
      onTestFinished(async () => {
        for (const each of [database, reference]) await each?.close();
        await proxy.close();
        await remove();
      });
      if (database === undefined || reference === undefined) throw new Error('no databases');
      const endUs = Math.floor(Date.now() / 1000) * 1e6 - 60e6;
      const store = async (into: Database, from: number, to: number): Promise<void> => {
        for (const { device, trace } of TRACES) await storeTrace(into, device, trace, endUs, { from, to });
      };
      await store(reference, 0, ROWS);
      const once = await runCommand(['jobs', 'run', 'episodes'], { ...environment, DOWNHOLE_DATABASE_URL: urls[1] });
      expect(once).toMatchObject({ code: 0 });

      const through = new URL(urls[0]);
      through.port = String(proxy.port);
      const start = (saveSeconds: number, databaseUrl: string) =>
        startService(
          temporaryDirectory('episodes-kill'),
          {
            ...environment,
            DOWNHOLE_DATABASE_URL: databaseUrl,
            DOWNHOLE_EPISODES_SAVE_SECONDS: String(saveSeconds),
            DOWNHOLE_LOG_LEVEL: 'info',
          },
          downhole('jobs'),
        );
      let said: unknown;
      let service: Service | undefined;
      onTestFinished(() => service?.kill());
      for (const [at, { moment, text, saveSeconds }] of STEPS.entries()) {
        await store(database, Math.floor((ROWS * at) / STEPS.length), Math.floor((ROWS * (at + 1)) / STEPS.length));
        const killed = (service = await start(saveSeconds, through.href));
        // Of all that this process commits, what comes after the watermarks were sent is meant.
        if (text === 'COMMIT') await proxy.once('after', 'INSERT INTO episode_watermarks', () => {});
        await proxy.once(moment, text, () => {
          killed.process.kill('SIGKILL');
          if (moment === 'before') proxy.cut();
        });
        await killed.kill();
        said ??= await sayOnce(database);
      }
      expect(said).toBeDefined();
      const last = (service = await start(600, urls[0]));
      const behind = (): Promise<unknown[]> =>
        database.query(
          'SELECT FROM devices d LEFT JOIN episode_watermarks w USING (device_id) WHERE d.last_seen IS DISTINCT FROM reached',
        );
      await expect.poll(behind, { timeout: 60_000 }).toEqual([]);
      expect(last.log()).not.toContain('episode_states_unusable');
      expect(await last.stop()).toBe(0);

      const episodes = await found(database);
      expect(episodes.map(({ diagnosis }) => diagnosis)).toEqual(expect.arrayContaining([...FAULTS]));
      expect(episodes).toEqual(await found(reference));
      expect(await saidOf(database)).toEqual(said);
    },
    SLOW_MS,
  );
});

async function openTables(url: string): Promise<Database> {
  const database = await openDatabase(
    { dataDir: '', database: { url, poolSize: 4, statementTimeoutMs: 60_000 } },
    recordEvents(),
  );
  const subset = database.capabilities.timescale === 'none' ? ({ subset: 'plain' } as const) : {};
  await migrate(database, { events: recordEvents(), ...subset });
  return database;
}

/** Acknowledges and annotates the first episode that goes on. @returns what was said; undefined while there is none */
async function sayOnce(database: Database): Promise<unknown> {
  const [episode] = await database.query<{ id: number }>(
    'SELECT id FROM episodes WHERE ended_at IS NULL ORDER BY id LIMIT 1',
  );
  if (episode === undefined) return undefined;
  await actOnEpisode(database, {
    id: episode.id,
    act: 'acknowledge',
    note: 'crew is on its way',
    actor: 'key:night shift',
  });
  return saidOf(database);
}

const saidOf = (database: Database): Promise<unknown> =>
  database.query(
    `SELECT e.id, e.device_id, e.started_at::text AS start, acknowledged_at::text AS at, acknowledged_by, n.text, n.at::text AS noted
     FROM episodes e JOIN episode_notes n ON n.episode_id = e.id ORDER BY n.id`,
  );
