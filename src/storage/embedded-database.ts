import { AsyncLocalStorage } from 'node:async_hooks';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Events } from '../monitoring/events.js';
import type { Database, DatabaseCapabilities, Row, Session, SqlValue, TransactionOptions } from './database.js';
import { EmbeddedConnection } from './embedded-connection.js';
import type { Operation } from './embedded-protocol.js';
import { databaseClosed } from './sql-state.js';
import { beginStatement, transactionFinished, transactionRolledBack } from './transaction.js';
import { TurnQueue } from './turn-queue.js';
import { encodeParameter } from './value-types.js';

/** Calls that may wait for the one connection: far more than the program makes, few enough to notice a pile-up. */
const MAX_WAITING_CALLS = 1000;

/** After an attempt to open a crashed engine again, calls are refused for so long before the next attempt. */
const REOPEN_INTERVAL_MS = 2000;

/** How often the database looks whether it is time for a checkpoint. */
const MAINTENANCE_INTERVAL_MS = 1000;

/** One transaction, or the single statement of a call on the database. */
class EmbeddedSession implements Session {
  readonly #connection: EmbeddedConnection;
  #finished = false;

  constructor(connection: EmbeddedConnection) {
    this.#connection = connection;
  }

  async query<R extends Row = Row>(sql: string, parameters: readonly SqlValue[] = []): Promise<R[]> {
    return (await this.#call({ kind: 'query', sql, parameters: parameters.map(encodeParameter) })) as R[];
  }

  async execute(sql: string, parameters: readonly SqlValue[] = []): Promise<number> {
    return (await this.#call({ kind: 'execute', sql, parameters: parameters.map(encodeParameter) })) as number;
  }

  async script(sql: string): Promise<void> {
    await this.#call({ kind: 'script', sql, tidy: false });
  }

  async copyBinary(target: string, chunks: readonly Uint8Array[]): Promise<number> {
    // Copied once, into memory that then moves to the thread: the caller's buffers stay his.
    const data = Buffer.allocUnsafeSlow(chunks.reduce((total, chunk) => total + chunk.length, 0));
    let position = 0;
    for (const chunk of chunks) {
      data.set(chunk, position);
      position += chunk.length;
    }
    return (await this.#call({ kind: 'copy', target, data }, [data.buffer])) as number;
  }

  async *copyOut(sql: string): AsyncGenerator<Uint8Array> {
    yield (await this.#call({ kind: 'copyOut', sql })) as Uint8Array;
  }

  /** Every later call is a mistake of the caller: the connection belongs to somebody else by then. */
  finish(): void {
    this.#finished = true;
  }

  #call(operation: Operation, transfer: readonly ArrayBuffer[] = []): Promise<unknown> {
    return this.#finished ? Promise.reject(transactionFinished()) : this.#connection.call(operation, transfer);
  }
}

/** PostgreSQL with TimescaleDB in a thread of this process, on one connection; data in a directory. */
export class EmbeddedDatabase implements Database {
  readonly capabilities: DatabaseCapabilities;
  readonly #directory: string;
  readonly #events: Events;
  readonly #onClosed: () => void;
  readonly #turns = new TurnQueue(MAX_WAITING_CALLS);
  readonly #locks = new Set<string>();
  readonly #openTransaction = new AsyncLocalStorage<{ open: boolean }>();
  #connection: EmbeddedConnection;
  /** On the clock that nobody sets: a step back would otherwise keep a crashed engine closed for as long. */
  #reopenAfter = 0;
  #maintainAfter = performance.now() + MAINTENANCE_INTERVAL_MS;
  #closing: Promise<void> | null = null;

  private constructor(directory: string, connection: EmbeddedConnection, events: Events, onClosed: () => void) {
    this.#directory = directory;
    this.#connection = connection;
    this.#events = events;
    this.#onClosed = onClosed;
    this.capabilities = {
      postgresVersion: connection.opened.postgresVersion,
      timescale: 'community',
      timescaleVersion: connection.opened.timescaleVersion,
      concurrency: 1,
      survivesPowerLoss: false,
    };
  }

  /**
   * Opens the database in `<dataDir>/database`. The caller holds the lock of `dataDir`: two openings at a time
   * corrupt the data.
   * @param onClosed called when nothing of it is in the directory any more
   * @throws OperationalError `database_open_failed`
   */
  static async open(
    dataDir: string,
    events: Events,
    onClosed: () => void = () => undefined,
  ): Promise<EmbeddedDatabase> {
    const directory = join(dataDir, 'database');
    // A process killed while the first opening creates the cluster leaves half of one, with nothing of anybody's in it.
    const incomplete = join(dataDir, 'database.incomplete');
    if (existsSync(incomplete)) await rm(directory, { recursive: true, force: true });
    const fresh = !existsSync(directory);
    if (fresh) await writeFile(incomplete, 'The database in this directory is being created.\n');
    const connection = await EmbeddedConnection.open(directory);
    if (fresh) await rm(incomplete);
    return new EmbeddedDatabase(directory, connection, events, onClosed);
  }

  query<R extends Row = Row>(sql: string, parameters?: readonly SqlValue[]): Promise<R[]> {
    return this.#turn((connection) => new EmbeddedSession(connection).query<R>(sql, parameters));
  }

  execute(sql: string, parameters?: readonly SqlValue[]): Promise<number> {
    return this.#turn((connection) => new EmbeddedSession(connection).execute(sql, parameters));
  }

  async script(sql: string): Promise<void> {
    await this.#turn((connection) => connection.call({ kind: 'script', sql, tidy: true }));
  }

  copyBinary(target: string, data: readonly Uint8Array[]): Promise<number> {
    return this.#turn((connection) => new EmbeddedSession(connection).copyBinary(target, data));
  }

  async *copyOut(sql: string): AsyncGenerator<Uint8Array> {
    yield await this.#turn((connection) => connection.call({ kind: 'copyOut', sql }) as Promise<Uint8Array>);
  }

  transaction<T>(work: (session: Session) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    return this.#turn(async (connection) => {
      const session = new EmbeddedSession(connection);
      const state = { open: true };
      await connection.call({ kind: 'execute', sql: beginStatement(options), parameters: [] });
      try {
        const result = await this.#openTransaction.run(state, () => work(session));
        session.finish();
        if ((await connection.call({ kind: 'commit' })) !== 'COMMIT') throw transactionRolledBack();
        return result;
      } catch (error) {
        session.finish();
        // Also after a failed COMMIT, where it only warns. A thread that is gone has rolled back by going.
        if (connection.broken === null) await connection.call({ kind: 'execute', sql: 'ROLLBACK', parameters: [] });
        throw error;
      } finally {
        state.open = false;
      }
    });
  }

  async tryExclusive<T>(lockName: string, work: () => Promise<T>): Promise<T | undefined> {
    if (this.#closing !== null) throw databaseClosed();
    // The lock of the directory keeps other processes out, so that these locks need to hold in this one only.
    if (this.#locks.has(lockName)) return undefined;
    this.#locks.add(lockName);
    try {
      return await work();
    } finally {
      this.#locks.delete(lockName);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#turns.run(() => this.#connection.close()).finally(this.#onClosed);
    return this.#closing;
  }

  async #turn<T>(work: (connection: EmbeddedConnection) => Promise<T>): Promise<T> {
    if (this.#closing !== null) throw databaseClosed();
    if (this.#openTransaction.getStore()?.open === true) {
      throw new Error('A call on the database inside a transaction of it waits for itself: use the session.');
    }
    return this.#turns.run(async () => {
      const connection = await this.#connected();
      try {
        return await work(connection);
      } finally {
        this.#maintain(connection);
      }
    });
  }

  /** Nobody waits for it, except that the thread does it before the next turn. */
  #maintain(connection: EmbeddedConnection): void {
    if (connection.broken !== null || performance.now() < this.#maintainAfter) return;
    this.#maintainAfter = performance.now() + MAINTENANCE_INTERVAL_MS;
    connection.call({ kind: 'maintain' }).catch((error: unknown) => this.#events.emit('checkpoint_failed', { error }));
  }

  /** The connection, opened again where the engine has crashed. */
  async #connected(): Promise<EmbeddedConnection> {
    const error = this.#connection.broken;
    if (error === null || performance.now() < this.#reopenAfter) return this.#connection;
    this.#events.emit('database_reopening', { error });
    await this.#connection.ended();
    try {
      this.#connection = await EmbeddedConnection.open(this.#directory);
      return this.#connection;
    } finally {
      this.#reopenAfter = performance.now() + REOPEN_INTERVAL_MS;
    }
  }
}
