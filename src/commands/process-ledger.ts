/** The loss ledger of a process, whichever of its roles count in it, and what writes it. */
import { LedgerKeeper } from '../pipeline/ledger-keeper.js';
import { LossLedger } from '../pipeline/loss-ledger.js';
import type { Database } from '../storage/database.js';
import { LedgerStore, type LedgerEntries, type LedgerSink } from '../storage/ledger-store.js';
import { openDatabase } from '../storage/open-database.js';
import type { SharedDirectoryLock } from '../storage/shared-directory-lock.js';
import type { Settings } from './load-settings.js';

/** Epoch microseconds. */
const nowUs = (): number => Date.now() * 1000;

export class ProcessLedger implements LedgerSink {
  readonly counts = new LossLedger(nowUs);
  readonly #settings: Settings;
  readonly #directory: SharedDirectoryLock;
  readonly #shared: () => Promise<Database> | undefined;
  readonly #keeper: LedgerKeeper;
  #store: LedgerStore | undefined;
  /** Of a process that has none for anything else. */
  #own: Database | undefined;

  /** @param shared the database of the process, if it has one: an ingest API by itself does without */
  constructor(settings: Settings, directory: SharedDirectoryLock, shared: () => Promise<Database> | undefined) {
    this.#settings = settings;
    this.#directory = directory;
    this.#shared = shared;
    this.#keeper = new LedgerKeeper({ ledger: this.counts, sink: this, events: settings.events });
  }

  /** The database is opened for the first entries: what an ingest API refuses is rare, and it must not wait for a database. */
  async add(entries: LedgerEntries): Promise<void> {
    this.#store ??= new LedgerStore(await (this.#shared() ?? this.#open()));
    await this.#store.add(entries);
  }

  async #open(): Promise<Database> {
    const { config, events } = this.#settings;
    this.#own = await openDatabase(config, events, this.#directory);
    return this.#own;
  }

  /** To be called when nothing is counted any more, and before the database of the process is closed. */
  async stop(): Promise<void> {
    try {
      await this.#keeper.stop();
    } finally {
      await this.#own?.close();
    }
  }
}
