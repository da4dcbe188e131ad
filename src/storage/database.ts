/**
 * The database as the rest of the program sees it. Two implementations, one contract suite
 * (tests/contracts/database.ts): `server` (a pool of connections to PostgreSQL, normally with TimescaleDB) and
 * `embedded` (PostgreSQL and TimescaleDB in a worker thread, one connection, data in a directory).
 *
 * Values: text, boolean, float and jsonb come as their JavaScript selves; int8 as number, as bigint beyond 2^53;
 * numeric as string; timestamptz as ISO text with microseconds (`2026-11-23 18:22:08.672341+00`), never as a Date.
 * Sessions run in UTC. Parameters: number, string, boolean, null, bigint, Uint8Array (bytea), and arrays of them.
 *
 * Errors: every failure is an OperationalError whose cause has the SQLSTATE in `code` where there is one;
 * `retryable` is decided by sql-state.ts and nowhere else.
 */

export type SqlValue =
  string | number | bigint | boolean | null | Uint8Array | readonly (string | number | bigint | boolean | null)[];

export type Row = Record<string, unknown>;

/** Which TimescaleDB is there: none, the Apache edition, or the community edition (compression, aggregates). */
export type TimescaleEdition = 'none' | 'apache' | 'community';

export interface DatabaseCapabilities {
  readonly postgresVersion: string;
  readonly timescale: TimescaleEdition;
  readonly timescaleVersion: string | null;
  /** How many statements can run at the same time; 1 for the embedded database. */
  readonly concurrency: number;
  /** Whether an acknowledged commit survives a power cut (the embedded database survives kill -9 only). */
  readonly survivesPowerLoss: boolean;
}

/** One connection: everything on it runs in the order of the calls. */
export interface Session {
  /** Runs one statement and returns its rows. */
  query<R extends Row = Row>(sql: string, parameters?: readonly SqlValue[]): Promise<R[]>;
  /** Runs one statement and returns how many rows it touched. */
  execute(sql: string, parameters?: readonly SqlValue[]): Promise<number>;
  /**
   * Runs any number of statements without parameters, each in its own transaction unless the text opens one. Called on
   * the database (not on a session) it leaves nothing behind: `SET statement_timeout = 0` lasts until its end.
   */
  script(sql: string): Promise<void>;
  /**
   * Bulk load: `data` is one complete stream of the binary COPY format (header, tuples, trailer), in chunks.
   * The chunks may be reused by the caller once the promise has settled. All rows or none.
   * @param target table and columns as they stand after COPY: `telemetry (device_id, "timestamp")`
   * @returns rows loaded
   */
  copyBinary(target: string, data: readonly Uint8Array[]): Promise<number>;
  /**
   * Bulk read: the rows of a query without parameters as one complete stream of the binary COPY format, in chunks that end
   * anywhere. On a server as they come, as fast as they are taken; whoever stops half-way gives up the connection. The
   * embedded database holds all of it in memory first: ask for slices there.
   */
  copyOut(sql: string): AsyncIterable<Uint8Array>;
}

export interface TransactionOptions {
  /** Default `read committed`. */
  readonly isolation?: 'read committed' | 'repeatable read';
  readonly readOnly?: boolean;
  /** Longest statement in it; default the database's own limit, 0 for none. The embedded database has none anyway. */
  readonly statementTimeoutMs?: number;
}

export interface Database extends Session {
  readonly capabilities: DatabaseCapabilities;
  /** Runs `work` in a transaction on a connection of its own: commits when it resolves, rolls back when it rejects. */
  transaction<T>(work: (session: Session) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /**
   * Runs `work` while holding the named lock, or resolves to undefined at once when somebody else holds it.
   * The lock is per database and goes with the connection, so a killed holder never blocks the next one.
   * `work` gets no session: what it does runs on the database like everything else.
   */
  tryExclusive<T>(lockName: string, work: () => Promise<T>): Promise<T | undefined>;
  /** Waits for what is under way, then closes. Calls after it reject with code `database_closed`. */
  close(): Promise<void>;
}
