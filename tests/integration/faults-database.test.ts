/**
 * Faults of the database in the middle of a write, each through a whole pipeline: every record that was accepted is in
 * the table or in the dead letters, once, and the books balance.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Database } from '../../src/storage/database.js';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.js';
import { expectEachOnce, numberedRecords } from '../support/numbered-records.js';
import { startPipeline, type RunningPipeline } from '../support/pipeline.js';
import { giveToPostgres, startPostgres, type PostgresServer } from '../support/postgres.js';
import { smallDisk } from '../support/small-disk.js';
import { openPlainTarget, type PlainTarget } from '../support/storage-targets.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const PER_MESSAGE = 50;
/** What a client sends last in a COPY. */
const COPY_DONE = 'c\0\0\0\x04';

let postgres: PostgresServer;
let target: PlainTarget;
let database: Database;

beforeAll(async () => {
  // What was committed has to survive an immediate shutdown.
  postgres = await startPostgres({ durable: true });
  target = await openPlainTarget(postgres);
  ({ database } = target);
});
afterAll(async () => {
  await target.remove();
  await postgres.remove();
});
beforeEach(() =>
  database.script('TRUNCATE telemetry, devices, episode_states, device_latest, device_state, dead_letters, late_days'),
);

/** A pipeline whose way to the database leads through a proxy. */
class Scene {
  readonly proxy: FaultProxy;
  readonly pipeline: RunningPipeline;
  /** Records that were accepted. */
  sent = 0;

  constructor(proxy: FaultProxy, pipeline: RunningPipeline) {
    this.proxy = proxy;
    this.pipeline = pipeline;
  }

  async publish(messages: number): Promise<void> {
    for (let message = 0; message < messages; message++) {
      await this.pipeline.publish(numberedRecords(this.sent, this.sent + PER_MESSAGE));
      this.sent += PER_MESSAGE;
    }
  }

  outcome(outcome: string): Promise<number> {
    return this.pipeline.metrics.value('telemetry_records_total', { outcome });
  }

  retries(code?: string): Promise<number> {
    return this.pipeline.metrics.value('telemetry_write_retries_total', code === undefined ? {} : { code });
  }

  /** Waits until a write has failed, and is held, `count` times more. */
  async held(count = 1): Promise<void> {
    const before = await this.retries();
    while ((await this.retries()) < before + count) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  /** Waits until everything is through, and holds the table against what was sent. */
  async settled(except?: Parameters<typeof expectEachOnce>[2]): Promise<void> {
    await this.pipeline.drained();
    await expect.poll(() => this.pipeline.books()).toEqual({ came: this.sent, went: this.sent });
    await expectEachOnce(database, this.sent, except);
  }
}

async function scene({ user, statementTimeoutMs = 30_000 }: { user?: string; statementTimeoutMs?: number } = {}) {
  const proxy = await startFaultProxy(postgres.port);
  onTestFinished(() => proxy.close());
  const through = await target.connect({
    port: proxy.port,
    statementTimeoutMs,
    ...(user === undefined ? {} : { user }),
  });
  const pipeline = await startPipeline(through, temporaryDirectory('faults'));
  onTestFinished(async () => {
    proxy.heal();
    await pipeline.stop();
    await through.close();
  });
  const made = new Scene(proxy, pipeline);
  await made.publish(2); // devices are known, connections are open
  await pipeline.drained();
  return made;
}

const rows = async (): Promise<number> =>
  Number((await database.query('SELECT count(*) AS n FROM telemetry'))[0]?.['n']);

describe('the connection to the database', () => {
  it('cut in the middle of a COPY: the batch is written again', async () => {
    const here = await scene();
    const cut = here.proxy.once('after', 'COPY telemetry', () => here.proxy.cut());
    await here.publish(10);
    await cut;
    await here.settled();
    expect(await here.retries('database_unavailable')).toBeGreaterThan(0);
  });

  it('cut when a COPY was sent in full: whether it is committed or not, each row is there once', async () => {
    const here = await scene();
    const cut = here.proxy.once('after', COPY_DONE, () => here.proxy.cut());
    await here.publish(10);
    await cut;
    await here.settled();
  });

  it('lost after a commit and before its answer: what is there comes again as duplicate', async () => {
    const here = await scene();
    const before = await rows();
    const silenced = here.proxy.once('after', COPY_DONE, () => here.proxy.hang('answers'));
    await here.publish(10);
    await silenced;
    while ((await rows()) === before) await new Promise((resolve) => setTimeout(resolve, 10));
    here.proxy.cut();
    here.proxy.heal();
    await here.settled();
    expect(await here.outcome('duplicate')).toBeGreaterThan(0);
  });

  it('lost while a merge commits: no channel is missing, none is filled twice', async () => {
    const here = await scene();
    const silenced = here.proxy.once('after', 'UPDATE telemetry SET', () => {
      void here.proxy.once('after', 'COMMIT', () => here.proxy.hang('answers'));
    });
    const more = numberedRecords(0, here.sent).map(({ device_id, timestamp }) => ({
      device_id,
      timestamp,
      pressure: 120,
    }));
    await here.pipeline.publish(more);
    await silenced;
    while ((await database.query('SELECT FROM telemetry WHERE pressure = 120')).length === 0)
      await new Promise((resolve) => setTimeout(resolve, 10));
    here.proxy.cut();
    here.proxy.heal();
    await here.pipeline.drained();
    expect((await here.outcome('merged')) + (await here.outcome('duplicate'))).toBe(more.length);
    expect(await database.query('SELECT count(*) AS n FROM telemetry WHERE pressure = 120')).toEqual([
      { n: more.length },
    ]);
    await expect.poll(() => here.pipeline.books()).toEqual({ came: 2 * here.sent, went: 2 * here.sent });
    await expectEachOnce(database, here.sent);
  });

  it('hangs in the middle of a COPY, and nobody is told: it is given up, and another one takes over', async () => {
    const here = await scene({ statementTimeoutMs: 100 });
    const hung = here.proxy.once('before', COPY_DONE, () => here.proxy.hang());
    await here.publish(10);
    await hung;
    await here.held();
    here.proxy.heal();
    await here.settled();
  });
});

describe('the server', () => {
  it('holds a batch for every failure that is not the fault of a value, and writes it when that has passed', async () => {
    const here = await scene();
    await database.script(`
      CREATE SEQUENCE attempts;
      CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF nextval('attempts') = 1 THEN RAISE EXCEPTION 'not now' USING ERRCODE = TG_ARGV[0]; END IF;
        RETURN NULL;
      END $$;`);
    onTestFinished(() => database.script('DROP FUNCTION fail_once CASCADE; DROP SEQUENCE attempts'));
    const transient = [
      '40001',
      '40P01',
      '53100',
      '53200',
      '53300',
      '55P03',
      '57014',
      '57P01',
      '57P03',
      '58030',
      '25006',
    ];
    const forAnOperator = ['42501', 'XX000'];
    for (const state of [...transient, ...forAnOperator]) {
      await database.script(`ALTER SEQUENCE attempts RESTART; DROP TRIGGER IF EXISTS fails ON telemetry;
        CREATE TRIGGER fails BEFORE INSERT ON telemetry FOR EACH STATEMENT EXECUTE FUNCTION fail_once('${state}')`);
      const before = await here.retries();
      await here.publish(2);
      await here.pipeline.drained();
      expect([state, (await here.retries()) - before]).toEqual([state, 1]);
    }
    await here.settled();
  });

  it('ends a statement that takes too long: it is tried again', async () => {
    const here = await scene({ statementTimeoutMs: 200 });
    await database.transaction(async (session) => {
      await session.execute('LOCK TABLE telemetry IN EXCLUSIVE MODE');
      await here.publish(5);
      await here.held(2);
    });
    await here.settled();
  });

  it('ends one of two writers that wait for each other: nothing of either is lost', async () => {
    const here = await scene();
    const [first, second] = numberedRecords(here.sent, here.sent + 20).filter((_, index) => index % 10 === 0);
    const insert = `INSERT INTO telemetry (device_id, "timestamp", temperature, rpm, vibration) VALUES ($1, $2::timestamptz, $3, $4, $5)`;
    const valuesOf = (record: Record<string, unknown> | undefined) =>
      Object.values(record ?? {}) as (string | number)[];
    await database.transaction(async (session) => {
      await session.execute(`SET LOCAL deadlock_timeout = '1min'`); // so that it is the other one that is ended
      await session.execute(insert, valuesOf(second));
      await here.publish(1);
      const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'COPY telemetry%'`;
      while ((await database.query(waiting)).length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
      await session.execute(insert, valuesOf(first));
    });
    await here.settled();
    expect(await here.outcome('duplicate')).toBe(2);
    expect(await here.retries('statement_failed')).toBeGreaterThan(0);
  });

  it('lets nobody in: too many connections for the role', async () => {
    await database.script(`
      CREATE ROLE limited LOGIN;
      GRANT ALL ON SCHEMA public TO limited;
      GRANT ALL ON ALL TABLES IN SCHEMA public TO limited;
      GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO limited`);
    onTestFinished(() => database.script('DROP OWNED BY limited; DROP ROLE limited'));
    const here = await scene({ user: 'limited' });
    await database.script('ALTER ROLE limited CONNECTION LIMIT 0');
    here.proxy.cut();
    await here.publish(5);
    await here.held(2);
    await database.script('ALTER ROLE limited CONNECTION LIMIT -1');
    await here.settled();
  });

  it('ends sessions in the middle of their work, again and again', async () => {
    const here = await scene();
    for (let round = 0; round < 5; round++) {
      const ended = here.proxy.once('after', 'COPY telemetry', () => {
        void database.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'COPY telemetry%'`);
      });
      await here.publish(5);
      await ended;
    }
    await here.settled();
  });

  it('is shutting down, and then starting: it answers, and takes nobody in', async () => {
    const here = await scene();
    const last = new pg.Client({ connectionString: postgres.url });
    last.on('error', () => {}); // it ends with the server
    await last.connect();
    postgres.beginStop();
    await last.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'downhole'`);
    await here.publish(5);
    await here.held(2);
    await postgres.kill();
    await postgres.restart();
    await here.settled();
  });

  it('takes only questions: read only, as after a switch of roles', async () => {
    const here = await scene();
    await database.script('ALTER SYSTEM SET default_transaction_read_only = on; SELECT pg_reload_conf()');
    await expect
      .poll(() => database.query('SHOW default_transaction_read_only'))
      .toEqual([{ default_transaction_read_only: 'on' }]);
    await here.publish(5);
    await here.held(2);
    await database.script(
      'SET default_transaction_read_only = off; ALTER SYSTEM RESET default_transaction_read_only; SELECT pg_reload_conf()',
    );
    await here.settled();
  });

  it('has no space left: it goes on when there is some', async ({ skip }) => {
    const disk = smallDisk(16, temporaryDirectory('tablespace')) ?? skip('mounting is not permitted here');
    giveToPostgres(disk);
    await database.script(`CREATE TABLESPACE small LOCATION '${disk}'; ALTER TABLE telemetry SET TABLESPACE small`);
    onTestFinished(() =>
      database.script('TRUNCATE telemetry; ALTER TABLE telemetry SET TABLESPACE pg_default; DROP TABLESPACE small'),
    );
    const here = await scene();
    const ballast = join(disk, 'ballast');
    expect(() => writeFileSync(ballast, Buffer.alloc(2 ** 25))).toThrow('ENOSPC');
    await here.publish(100);
    await here.held(2);
    expect(await here.retries('database_full')).toBeGreaterThan(0);
    rmSync(ballast);
    await here.settled();
  });
});

describe('a record that the database refuses', () => {
  it('is one in a thousand, in each of many batches: it alone is set aside, with its reason and its bytes', async () => {
    await database.script('ALTER TABLE telemetry ADD CONSTRAINT no_poison CHECK (rpm <> 666)');
    onTestFinished(() => database.script('ALTER TABLE telemetry DROP CONSTRAINT no_poison'));
    const here = await scene();
    const refused: number[] = [];
    const letters: string[] = [];
    for (let batch = 0; batch < 8; batch++) {
      const records = numberedRecords(here.sent, here.sent + 1000);
      // As its sender wrote it: digits, blanks and all.
      const position = (batch * 331) % 1000;
      const poison = JSON.stringify({ ...records[position], rpm: 666 }).replace(':666', ' : 6.660e2 ');
      refused.push(here.sent + position);
      letters.push(poison);
      await here.pipeline.publishText(
        `[${records.map((record, index) => (index === position ? poison : JSON.stringify(record))).join(',')}]`,
        1000,
      );
      here.sent += 1000;
    }
    await here.settled({ refused, letters });
    const reasons = await database.query('SELECT DISTINCT code, error LIKE $1 AS told FROM dead_letters', [
      '%no_poison%',
    ]);
    expect(reasons).toEqual([{ code: 'database_rejected', told: true }]);
    expect(await here.outcome('dead_lettered')).toBe(8);
  });
});
