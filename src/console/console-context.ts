/** What the read API is built from, and what its routes work with. */
import type { AlertChannel } from '../alerts/channel.js';
import type { Config } from '../config/schema.js';
import type { DeadLetterOffice } from '../dead-letters/dead-letter-office.js';
import type { JobRunner } from '../jobs/job-runner.js';
import type { Events } from '../monitoring/events.js';
import type { Metrics } from '../monitoring/metrics.js';
import type { Broker } from '../queue/queue.js';
import type { Database } from '../storage/database.js';
import type { LevelCatalogue } from './series-levels.js';

export interface ConsoleOptions {
  readonly database: Database;
  readonly metrics: Metrics;
  /** The queues of this process; absent where it has none. */
  readonly broker?: Broker | undefined;
  /** Whether the pipeline is in this process: then its counts are the ones to show. */
  readonly hasPipeline: boolean;
  readonly config: Config;
  readonly events: Events;
  /** The scheduled work on this database, wherever it is done: for its run log. Asked for when somebody wants to see it. */
  readonly jobs?: () => Promise<JobRunner>;
  /** How alerts reach somebody: for their test. */
  readonly alertChannels?: readonly AlertChannel[];
  /** Directory of the built page; default: beside the built program. */
  readonly webRoot?: string | undefined;
}

/** What the routes of the read API work with. */
export interface ConsoleContext extends ConsoleOptions {
  readonly letters: DeadLetterOffice;
  /** The levels at which this database keeps series. */
  readonly levels: () => Promise<LevelCatalogue>;
}
