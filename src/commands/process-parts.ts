/**
 * What the roles of one process share: the data directory, the database, the queues. Each is opened when the first
 * role asks for it, as the configuration says, and closed after all roles have stopped.
 */
import type { Config } from '../config/schema.js';
import type { LossLedger } from '../pipeline/loss-ledger.js';
import type { Probe } from '../monitoring/readiness.js';
import { openBroker } from '../queue/open-broker.js';
import type { Broker } from '../queue/queue.js';
import type { Database } from '../storage/database.js';
import { migrate } from '../storage/migrator.js';
import { openDatabase } from '../storage/open-database.js';
import { SharedDirectoryLock } from '../storage/shared-directory-lock.js';
import { Closers } from './closers.js';
import type { Settings } from './load-settings.js';
import { ProcessLedger } from './process-ledger.js';
import { databaseProbe } from './probes.js';

export class ProcessParts {
  readonly settings: Settings;
  /** Locked while something of this process is in it, and only then. */
  readonly directory: SharedDirectoryLock;
  readonly #closers = new Closers();
  #database: Promise<Database> | undefined;
  #databaseProbe: Probe | undefined;
  #broker: Promise<Broker> | undefined;
  #ledger: ProcessLedger | undefined;

  /** @param command shown to whoever finds the data directory taken */
  constructor(settings: Settings, command: string) {
    this.settings = settings;
    this.directory = new SharedDirectoryLock(settings.config.dataDir, {
      command,
      remedy: howToSeparate(settings.config),
    });
  }

  /**
   * The database, with its schema at the version of this program. Once open it stays; a failure is not remembered.
   * @throws OperationalError of openDatabase and migrate
   */
  database(): Promise<Database> {
    this.#database ??= this.#openDatabase().catch((error: unknown) => {
      this.#database = undefined;
      throw error;
    });
    return this.#database;
  }

  /** One for all roles, so that the database is asked once. */
  databaseProbe(): Probe {
    return (this.#databaseProbe ??= databaseProbe(() => this.database(), { isRequired: true }));
  }

  /** Both queues. @throws OperationalError of openBroker */
  broker(): Promise<Broker> {
    return (this.#broker ??= this.#openBroker());
  }

  /** What became of the records that this process has to do with; written to the database from time to time. */
  ledger(): LossLedger {
    this.#ledger ??= new ProcessLedger(() => this.database(), this.settings.events);
    return this.#ledger.counts;
  }

  /** Closes what has been opened, the last first, once the ledger is written. */
  async close(): Promise<void> {
    try {
      await this.#ledger?.stop();
    } finally {
      await this.#closers.close();
    }
  }

  async #openDatabase(): Promise<Database> {
    const { config, events, schemaSubset } = this.settings;
    const database = await openDatabase(config, events, this.directory);
    try {
      await migrate(database, { events, variables: { chunkHours: config.storage.chunkHours }, subset: schemaSubset });
    } catch (error) {
      await database.close();
      throw error;
    }
    this.#closers.add(() => database.close());
    return database;
  }

  async #openBroker(): Promise<Broker> {
    const { config, events, metrics } = this.settings;
    const broker = await openBroker(config, events, this.directory);
    this.#closers.add(() => broker.close());
    publishDepths(metrics, broker);
    return broker;
  }
}

/** What is embedded belongs to one process: how the roles of a process that is refused can run all the same. */
function howToSeparate({ database, queue }: Pick<Config, 'database' | 'queue'>): string {
  const unset = Object.entries({ 'database.url': database.url, 'queue.url': queue.url });
  const keys = unset.filter(([, url]) => url === '').map(([key]) => key);
  if (keys.length === 0) return '';
  return `To run several processes, set ${keys.join(' and ')}: what is embedded belongs to one process.`;
}

/** The depth of both queues, whenever somebody reads the metrics. */
function publishDepths(metrics: Settings['metrics'], broker: Broker): void {
  metrics.onRead('telemetry_records_in_flight', () =>
    metrics.set('telemetry_records_in_flight', broker.telemetry.depth().records),
  );
  for (const queue of ['telemetry', 'failed'] as const) {
    metrics.onRead('queue_messages', () => metrics.set('queue_messages', broker[queue].depth().messages, { queue }));
    metrics.onRead('queue_bytes', () => metrics.set('queue_bytes', broker[queue].depth().bytes, { queue }));
  }
}
