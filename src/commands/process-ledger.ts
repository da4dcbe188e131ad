/** The loss ledger of a process, whichever of its roles count in it, and what writes it. */
import type { Events } from '../monitoring/events.js';
import { LedgerKeeper } from '../pipeline/ledger-keeper.js';
import { LossLedger } from '../pipeline/loss-ledger.js';
import type { Database } from '../storage/database.js';
import { LedgerStore, type LedgerEntries, type LedgerSink } from '../storage/ledger-store.js';

/** Epoch microseconds. */
const nowUs = (): number => Date.now() * 1000;

export class ProcessLedger implements LedgerSink {
  readonly counts = new LossLedger(nowUs);
  readonly #open: () => Promise<Database>;
  readonly #keeper: LedgerKeeper;
  #store: LedgerStore | undefined;

  /** @param open the database of the process, with its schema; opened for the first entries where nobody else needs it */
  constructor(open: () => Promise<Database>, events: Events) {
    this.#open = open;
    this.#keeper = new LedgerKeeper({ ledger: this.counts, sink: this, events });
  }

  /** What an ingest API refuses is rare, and it must not wait for a database: what cannot be written now is later. */
  async add(entries: LedgerEntries): Promise<void> {
    this.#store ??= new LedgerStore(await this.#open());
    await this.#store.add(entries);
  }

  /** To be called when nothing is counted any more, and before the database of the process is closed. */
  async stop(): Promise<void> {
    await this.#keeper.stop();
  }
}
