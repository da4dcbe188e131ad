/**
 * Decides when there is a batch: 1000 records or one second, whichever comes first; more, up to a bound, while
 * there is a backlog. Imports wait in a lane of their own and take turns with the queue.
 */
import type { MessageHeaders } from '../queue/queue.js';
import type { OutcomeCounts } from '../telemetry/outcome.js';

/** One message in the pipeline's hands: from the queue (with its tag) or from an import. */
export interface Message {
  readonly body: Uint8Array;
  readonly headers: MessageHeaders;
  /** Queue deliveries only. */
  readonly tag?: number;
}

/** What is prepared, written and settled together. */
export interface Work {
  readonly messages: readonly Message[];
  /** Imports only: tells the waiting request what became of its records. */
  readonly request?: ImportRequest;
}

export interface ImportRequest {
  readonly message: Message;
  readonly resolve: (result: ImportResult) => void;
  readonly reject: (error: unknown) => void;
}

/** Outcomes of an import, record by record where it matters. */
export interface ImportResult {
  readonly outcomes: OutcomeCounts;
}

export interface BatchFormerOptions {
  readonly batchRecords: number;
  readonly batchIntervalMs: number;
  readonly maxBatchRecords: number;
  readonly maxBatchMessages: number;
}

/** Records that a message counts for while batches are formed; a message nobody counted is taken for one. */
const weight = (message: Message): number => message.headers.records ?? 1;

export class BatchFormer {
  readonly #options: BatchFormerOptions;
  readonly #now: () => number;
  #pending: Message[] = [];
  #pendingRecords = 0;
  /** When the oldest pending message came, milliseconds of `now`. */
  #oldestMs = 0;
  readonly #imports: ImportRequest[] = [];
  #lastWasImport = false;
  #wake: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #isFlushing = false;

  constructor(options: BatchFormerOptions, now: () => number = () => performance.now()) {
    this.#options = options;
    this.#now = now;
  }

  add(message: Message): void {
    if (this.#pending.length === 0) this.#oldestMs = this.#now();
    this.#pending.push(message);
    this.#pendingRecords += weight(message);
    if (this.#pendingRecords >= this.#options.batchRecords) this.#notify();
    else this.#arm();
  }

  /** What is pending is a batch, however small and young it is: no more will come before it is settled. */
  flush(): void {
    if (this.#pending.length === 0) return;
    this.#isFlushing = true;
    this.#notify();
  }

  /** @returns false when it is closed: nobody will take the request */
  addImport(request: ImportRequest): boolean {
    if (this.#closed) return false;
    this.#imports.push(request);
    this.#notify();
    return true;
  }

  /** Ends it: `next` resolves to undefined. Returns the imports that nobody took. */
  close(): ImportRequest[] {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#notify();
    return this.#imports.splice(0);
  }

  /** Waits until there is a batch, or resolves to undefined when closed. */
  async next(): Promise<Work | undefined> {
    for (;;) {
      if (this.#closed) return undefined;
      const work = this.#take();
      if (work !== undefined) return work;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #take(): Work | undefined {
    const due = this.#isDue();
    if (this.#imports.length > 0 && !(due && this.#lastWasImport)) {
      this.#lastWasImport = true;
      const request = this.#imports.shift() as ImportRequest;
      return { messages: [request.message], request };
    }
    if (!due) return undefined;
    this.#lastWasImport = false;
    this.#isFlushing = false;
    let records = 0;
    let count = 0;
    const { maxBatchRecords, maxBatchMessages } = this.#options;
    const most = Math.min(this.#pending.length, maxBatchMessages);
    while (count < most && (count === 0 || records + weight(this.#pending[count] as Message) <= maxBatchRecords)) {
      records += weight(this.#pending[count] as Message);
      count++;
    }
    const messages = this.#pending.splice(0, count);
    this.#pendingRecords -= records;
    if (this.#pending.length > 0) {
      this.#oldestMs = this.#now();
      this.#arm();
    }
    return { messages };
  }

  #isDue(): boolean {
    if (this.#pending.length === 0) return false;
    return this.#isFlushing || this.#pendingRecords >= this.#options.batchRecords || this.#remainingMs() <= 0;
  }

  #remainingMs(): number {
    return this.#options.batchIntervalMs - (this.#now() - this.#oldestMs);
  }

  /** Wakes `next` when the oldest pending message has waited long enough. */
  #arm(): void {
    if (this.#timer !== undefined || this.#closed) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        if (this.#pending.length === 0) return;
        if (this.#isDue()) this.#notify();
        else this.#arm();
      },
      Math.max(1, Math.ceil(this.#remainingMs())),
    );
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
