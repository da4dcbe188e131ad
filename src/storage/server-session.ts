import { once } from 'node:events';
import type { Socket } from 'node:net';
import type pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import type { Row, Session, SqlValue } from './database.js';
import { splitStatements } from './split-statements.js';
import { isConnectionFailure, toDatabaseError } from './sql-state.js';
import { transactionFinished } from './transaction.js';
import { encodeParameter } from './value-types.js';

/** How long after the server's own statement timeout an answer may come, before the connection is given up. */
const ANSWER_GRACE_MS = 5000;

/** Ends a connection at once. A farewell would wait for a peer that may no longer be there. */
export function disconnect(client: pg.Client | pg.PoolClient): void {
  // Not in pg's types, and it has no other way to end a connection that does not answer.
  const { connection } = client as unknown as { connection: { stream: Socket } };
  connection.stream.destroy();
}

/** One connection of the pool, for a single call or a transaction. */
export class ServerSession implements Session {
  readonly #client: pg.PoolClient;
  #answerLimitMs: number;
  #broken = false;
  #finished = false;
  readonly #lost = (): void => {
    this.#broken = true;
  };

  constructor(client: pg.PoolClient, statementTimeoutMs: number) {
    this.#client = client;
    this.#answerLimitMs = statementTimeoutMs + ANSWER_GRACE_MS;
    // The pool listens to idle connections only. Between two statements of a transaction nobody else would hear of a
    // lost connection, and an `error` that nobody hears ends the process.
    client.on('error', this.#lost);
  }

  async query<R extends Row = Row>(sql: string, parameters: readonly SqlValue[] = []): Promise<R[]> {
    return (await this.#statement(sql, parameters)).rows as R[];
  }

  async execute(sql: string, parameters: readonly SqlValue[] = []): Promise<number> {
    return (await this.#statement(sql, parameters)).rowCount ?? 0;
  }

  async script(sql: string): Promise<void> {
    // The text may set a statement timeout of its own, so that there is no telling how long an answer may take.
    for (const statement of splitStatements(sql)) await this.#call(() => this.#send(statement, []), Infinity);
  }

  copyBinary(target: string, data: readonly Uint8Array[]): Promise<number> {
    return this.#call(async () => {
      const stream = this.#client.query(copyFrom(`COPY ${target} FROM STDIN WITH (FORMAT binary)`));
      const finished = once(stream, 'finish');
      // Ending a stream whose session is already gone reports a second error, which nobody would hear: `finished` has
      // the first one, the reason.
      stream.on('error', ignoreFurtherErrors);
      for (const chunk of data) {
        // One chunk at a time: this is the back-pressure, and nothing stays queued behind a refusal.
        const written = new Promise<void>((resolve, reject) => {
          stream.write(chunk, (error) => (error ? reject(error) : resolve()));
        });
        // `finished` rejects as soon as the server refuses a row, also while a chunk is being written.
        await Promise.race([written, finished]);
      }
      stream.end();
      await finished;
      return stream.rowCount;
    });
  }

  async *copyOut(sql: string): AsyncGenerator<Uint8Array> {
    if (this.#finished) throw transactionFinished();
    const stream = this.#client.query(copyTo(`COPY (${sql}) TO STDOUT WITH (FORMAT binary)`));
    const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    let isOver = false;
    try {
      for (;;) {
        const next = await this.#exchange(() => chunks.next());
        if (next.done === true) break;
        yield next.value;
      }
      isOver = true;
    } catch (error) {
      isOver = true;
      throw error;
    } finally {
      if (!isOver) {
        // Nobody takes the rest, and the server cannot be told to keep it.
        this.#broken = true;
        disconnect(this.#client);
      }
    }
  }

  /** Sets the longest statement of the open transaction; 0 for none. */
  async limitStatements(milliseconds: number): Promise<void> {
    await this.execute(`SET LOCAL statement_timeout = ${Math.trunc(milliseconds)}`);
    this.#answerLimitMs = milliseconds === 0 ? Infinity : milliseconds + ANSWER_GRACE_MS;
  }

  /** COMMIT of a transaction that failed before answers ROLLBACK and is no error: the caller must know which it was. */
  async commit(): Promise<string> {
    return (await this.#exchange(() => this.#send('COMMIT', []))).command;
  }

  /** Rolls back, also after a failed COMMIT, where it only warns. A connection that is gone has rolled back by going. */
  async rollback(): Promise<void> {
    if (!this.#broken) await this.#exchange(() => this.#send('ROLLBACK', []));
  }

  /** Leaves the connection as it was: no open transaction, no changed settings. */
  async tidy(): Promise<void> {
    await this.rollback();
    if (!this.#broken) await this.#exchange(() => this.#send('RESET ALL', []));
  }

  /** Every later call is a mistake of the caller: the connection belongs to somebody else by then. */
  finish(): void {
    this.#finished = true;
  }

  /** Gives the connection back to the pool, or away when it is broken. */
  release(): void {
    this.finish();
    this.#client.release(this.#broken);
    // Not from a broken one, which may have more to say while it goes.
    if (!this.#broken) this.#client.off('error', this.#lost);
  }

  #statement(sql: string, parameters: readonly SqlValue[]): Promise<pg.QueryResult> {
    return this.#call(() => this.#send(sql, parameters));
  }

  #send(sql: string, parameters: readonly SqlValue[]): Promise<pg.QueryResult> {
    // Always the extended protocol, as on the embedded database: exactly one statement a call.
    return this.#client.query({
      text: sql,
      values: parameters.map(encodeParameter),
      queryMode: 'extended',
    } as pg.QueryConfig);
  }

  #call<T>(exchange: () => Promise<T>, limitMs?: number): Promise<T> {
    return this.#finished ? Promise.reject(transactionFinished()) : this.#exchange(exchange, limitMs);
  }

  /** One exchange with the server, with a limit to the wait for its answer. */
  async #exchange<T>(exchange: () => Promise<T>, limitMs = this.#answerLimitMs): Promise<T> {
    const timer = limitMs === Infinity ? undefined : setTimeout(() => disconnect(this.#client), limitMs);
    try {
      return await exchange();
    } catch (error) {
      this.#broken ||= isConnectionFailure(error);
      throw toDatabaseError(error);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** For errors after the first of a stream, which has been thrown to the caller already. */
function ignoreFurtherErrors(): void {}
