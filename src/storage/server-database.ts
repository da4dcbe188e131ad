import { createHash } from 'node:crypto';
import pg from 'pg';
import type { Config } from '../config/schema.js';
import type { Events } from '../monitoring/events.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { Database, DatabaseCapabilities, Row, Session, SqlValue, TransactionOptions } from './database.js';
import { readServerCapabilities } from './server-capabilities.js';
import { disconnect, ServerSession } from './server-session.js';
import { databaseBusy, databaseClosed, toDatabaseError } from './sql-state.js';
import { beginStatement, transactionRolledBack } from './transaction.js';
import { decoderFor } from './value-types.js';

/** Calls that may wait for a connection. */
const MAX_WAITING_CALLS = 1000;
const CONNECT_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_DELAY_MS = 10_000;

/** What value-types.ts relies upon, whatever the server, the database or the role have been configured to. */
const SESSION_OPTIONS = [
  'client_encoding=UTF8',
  'TimeZone=UTC',
  'DateStyle=ISO',
  'IntervalStyle=postgres',
  'bytea_output=hex',
  'extra_float_digits=1',
  'standard_conforming_strings=on',
]
  .map((setting) => `-c ${setting}`)
  .join(' ');

/** A PostgreSQL server, normally with TimescaleDB, behind a pool of connections. */
export class ServerDatabase implements Database {
  readonly capabilities: DatabaseCapabilities;
  readonly #pool: pg.Pool;
  readonly #clientConfig: pg.ClientConfig;
  readonly #statementTimeoutMs: number;
  readonly #underWay = new Set<Promise<unknown>>();
  #lockConnections = 0;
  #closing: Promise<void> | null = null;

  private constructor(
    pool: pg.Pool,
    clientConfig: pg.ClientConfig,
    config: Config['database'],
    capabilities: DatabaseCapabilities,
  ) {
    this.#pool = pool;
    this.#clientConfig = clientConfig;
    this.#statementTimeoutMs = config.statementTimeoutMs;
    this.capabilities = capabilities;
  }

  /**
   * Connects to the server once, to see what it has; further connections follow as they are needed.
   * @param options.mayCreateExtension whether TimescaleDB is created where it is offered and missing; default yes
   * @throws OperationalError `database_unavailable` (retryable), `statement_failed` (wrong password, no such database …)
   */
  static async open(
    config: Config['database'],
    events: Events,
    { mayCreateExtension = true }: { mayCreateExtension?: boolean } = {},
  ): Promise<ServerDatabase> {
    const clientConfig = clientConfigOf(config);
    const pool = new pg.Pool({ ...clientConfig, max: config.poolSize, idleTimeoutMillis: 60_000 });
    // Without a listener, a server that restarts while a connection is idle would end the process.
    pool.on('error', (error) => events.emit('database_connection_lost', { error }));
    try {
      const capabilities = await readServerCapabilities(pool, config.poolSize, mayCreateExtension);
      return new ServerDatabase(pool, clientConfig, config, capabilities);
    } catch (error) {
      await pool.end();
      throw toDatabaseError(error);
    }
  }

  query<R extends Row = Row>(sql: string, parameters?: readonly SqlValue[]): Promise<R[]> {
    return this.#withSession((session) => session.query<R>(sql, parameters));
  }

  execute(sql: string, parameters?: readonly SqlValue[]): Promise<number> {
    return this.#withSession((session) => session.execute(sql, parameters));
  }

  script(sql: string): Promise<void> {
    return this.#withSession(async (session) => {
      try {
        await session.script(sql);
      } finally {
        await session.tidy();
      }
    });
  }

  copyBinary(target: string, data: readonly Uint8Array[]): Promise<number> {
    return this.#withSession((session) => session.copyBinary(target, data));
  }

  async *copyOut(sql: string): AsyncGenerator<Uint8Array> {
    if (this.#closing !== null) throw databaseClosed();
    const session = await this.#takeSession();
    try {
      yield* session.copyOut(sql);
    } finally {
      session.release();
    }
  }

  transaction<T>(work: (session: Session) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    return this.#withSession(async (session) => {
      await session.execute(beginStatement(options));
      try {
        if (options.statementTimeoutMs !== undefined) await session.limitStatements(options.statementTimeoutMs);
        const result = await work(session);
        session.finish();
        if ((await session.commit()) !== 'COMMIT') throw transactionRolledBack();
        return result;
      } catch (error) {
        session.finish();
        await session.rollback();
        throw error;
      }
    });
  }

  tryExclusive<T>(lockName: string, work: () => Promise<T>): Promise<T | undefined> {
    return this.#track(async () => {
      // Outside the pool: the work needs connections of the pool, and all of them might be holding locks.
      if (this.#lockConnections >= this.#pool.options.max) throw databaseBusy(this.#lockConnections);
      this.#lockConnections++;
      try {
        return await this.#exclusively(lockName, work);
      } finally {
        this.#lockConnections--;
      }
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  async #drain(): Promise<void> {
    // Also those that still wait for a connection: the pool itself would leave them waiting for ever.
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
    await this.#pool.end();
  }

  async #exclusively<T>(lockName: string, work: () => Promise<T>): Promise<T | undefined> {
    const client = new pg.Client(this.#clientConfig);
    const lost: Error[] = [];
    client.on('error', (error) => lost.push(error));
    const key = [lockKey(lockName)];
    let locked = false;
    try {
      await client.connect();
      const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', key);
      locked = rows[0]?.locked === true;
      if (!locked) return undefined;
      const result = await work();
      if (lost.length > 0) throw lockLost(lockName, lost[0]);
      return result;
    } catch (error) {
      throw toDatabaseError(error);
    } finally {
      // Given back in words: the server notices a closed connection only a moment later, and the next one may be faster.
      if (locked && lost.length === 0) {
        await client.query('SELECT pg_advisory_unlock($1)', key).catch((error: Error) => lost.push(error)); // goes with the connection then
      }
      disconnect(client);
    }
  }

  async #withSession<T>(work: (session: ServerSession) => Promise<T>): Promise<T> {
    return this.#track(async () => {
      const session = await this.#takeSession();
      try {
        return await work(session);
      } finally {
        session.release();
      }
    });
  }

  async #takeSession(): Promise<ServerSession> {
    if (this.#pool.waitingCount >= MAX_WAITING_CALLS) throw databaseBusy(this.#pool.waitingCount);
    try {
      return new ServerSession(await this.#pool.connect(), this.#statementTimeoutMs);
    } catch (error) {
      throw toDatabaseError(error);
    }
  }

  async #track<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing !== null) throw databaseClosed();
    const running = work();
    this.#underWay.add(running);
    try {
      return await running;
    } finally {
      this.#underWay.delete(running);
    }
  }
}

/** A connection like any other of ours: application_name, time limits, value formats. */
function clientConfigOf({ url, statementTimeoutMs }: Config['database']): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: 'downhole',
    options: SESSION_OPTIONS,
    statement_timeout: statementTimeoutMs,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY_MS,
    types: { getTypeParser: (oid) => decoderFor(oid) },
  };
}

/** Advisory locks have numbers, not names: the first 64 bits of the name's hash. */
const lockKey = (name: string): string => createHash('sha256').update(name).digest().readBigInt64BE(0).toString();

const lockLost = (name: string, cause: unknown): OperationalError =>
  new OperationalError(
    'lock_lost',
    `The connection that held the lock ${name} broke while the work went on: another process may have done it as well.`,
    { retryable: true, cause },
  );
