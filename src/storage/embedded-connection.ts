import { Worker } from 'node:worker_threads';
import { OperationalError } from '../telemetry/operational-error.js';
import type { Opened, Operation, Reply, Request, WorkerOptions } from './embedded-protocol.js';
import { toDatabaseError } from './sql-state.js';

/** Node 20 cannot run TypeScript in a worker: under a test runner, the compiled worker in dist is used. */
const workerUrl = (): URL =>
  import.meta.url.endsWith('.ts')
    ? new URL('../../dist/src/storage/embedded-worker.js', import.meta.url)
    : new URL('./embedded-worker.js', import.meta.url);

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** The embedded database's thread, from its start to its end or its crash. Calls run in the order in which they are made. */
export class EmbeddedConnection {
  readonly opened: Opened;
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #broken: OperationalError | null = null;
  #ended: Promise<unknown> | null = null;

  private constructor(worker: Worker, opened: Opened) {
    this.#worker = worker;
    this.opened = opened;
    worker.on('message', (reply: Reply) => this.#receive(reply));
    worker.on('error', (error) => this.#fail(String(error)));
    worker.on('exit', (code) => this.#fail(`its thread ended with code ${code}`));
  }

  /**
   * Starts the thread and opens the cluster in `directory`; about 3 s for a new one, 1 s otherwise.
   * @throws OperationalError `database_open_failed`
   */
  static async open(directory: string): Promise<EmbeddedConnection> {
    const workerData: WorkerOptions = { directory };
    // No flags of the main thread: a test runner's loader has no place in there.
    const worker = new Worker(workerUrl(), { workerData, execArgv: [], name: 'embedded-database' });
    const opening = new Promise<Opened>((resolve, reject) => {
      const refuse = (reason: string): void =>
        reject(
          new OperationalError(
            'database_open_failed',
            `The embedded database in ${directory} cannot be opened: ${reason}. Is the disk full, or the directory damaged or not writable?`,
          ),
        );
      worker.once('message', (reply: Reply) => {
        if (reply.kind === 'opened') resolve(reply.opened);
        else refuse(reply.kind === 'crashed' ? reply.message : 'it gave no answer');
      });
      worker.once('error', (error) => refuse(String(error)));
      worker.once('exit', (code) => refuse(`its thread ended with code ${code}`));
    });
    try {
      return new EmbeddedConnection(worker, await opening);
    } catch (error) {
      // Gone for certain before anybody opens the directory again.
      await worker.terminate();
      throw error;
    }
  }

  /** Why the thread has ended, or null while it lives. Every further call rejects with this. */
  get broken(): OperationalError | null {
    return this.#broken;
  }

  /** @param transfer buffers that move to the thread and are gone here */
  call(operation: Operation, transfer: readonly ArrayBuffer[] = []): Promise<unknown> {
    if (this.#broken !== null) return Promise.reject(this.#broken);
    const id = this.#nextId++;
    const request: Request = { id, operation };
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage(request, transfer);
    });
  }

  /** Closes the cluster properly, unless it is broken, and waits for the thread to end: the lock is given free then. */
  async close(): Promise<void> {
    if (this.#broken !== null) return this.ended();
    await this.call({ kind: 'close' });
    await this.#worker.terminate();
  }

  /** Waits until a broken thread is gone for certain: only then may its directory be opened again. */
  async ended(): Promise<void> {
    await this.#ended;
  }

  #receive(reply: Reply): void {
    if (reply.kind === 'crashed') return this.#fail(reply.message);
    if (reply.kind === 'opened') return;
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (reply.kind === 'done') pending?.resolve(reply.result);
    else pending?.reject(toDatabaseError(Object.assign(new Error(reply.failure.message), reply.failure)));
  }

  #fail(reason: string): void {
    this.#broken ??= new OperationalError(
      'database_unavailable',
      `The embedded database has stopped: ${reason}. It is opened again with the next call; nothing committed is lost.`,
      { retryable: true, cause: new Error(reason) },
    );
    for (const { reject } of this.#pending.values()) reject(this.#broken);
    this.#pending.clear();
    this.#ended ??= this.#worker.terminate();
  }
}
