/** Writes the loss ledger every few seconds and at the end. */
import type { Events } from '../monitoring/events.js';
import type { LedgerEntries, LedgerSink } from '../storage/ledger-store.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { LossLedger } from './loss-ledger.js';

const INTERVAL_MS = 10_000;
/** Devices a statement: on the embedded database the pipeline waits for it. */
const ENTRIES_PER_STATEMENT = 2500;

export class LedgerKeeper {
  readonly #ledger: LossLedger;
  readonly #sink: LedgerSink;
  readonly #events: Events;
  readonly #timer: NodeJS.Timeout;
  /** Taken and not known to be written: given again before anything else. */
  #pending: LedgerEntries | undefined;
  #flushing: Promise<void> = Promise.resolve();

  constructor(options: { ledger: LossLedger; sink: LedgerSink; events: Events }) {
    this.#ledger = options.ledger;
    this.#sink = options.sink;
    this.#events = options.events;
    this.#timer = setInterval(() => void this.flush(), INTERVAL_MS);
  }

  /** Writes what has been counted so far. What cannot be written now is reported, and written the next time. */
  flush(): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#flush());
    return this.#flushing;
  }

  /** To be called when nothing is counted any more; what the database does not take now is lost, and reported. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  async #flush(): Promise<void> {
    try {
      for (;;) {
        this.#pending ??= this.#ledger.take(ENTRIES_PER_STATEMENT);
        if (this.#pending === undefined) return;
        await this.#sink.add(this.#pending);
        this.#pending = undefined;
      }
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      this.#events.emit('ledger_not_written', { error });
    }
  }
}
