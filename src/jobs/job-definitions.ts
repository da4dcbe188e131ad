import type { Archiver } from '../archive/archiver.js';
import type { EpisodeSettings } from '../episodes/episode-follower.js';
import { DEFAULT_RETENTION, type Retention } from '../storage/aggregate-levels.js';
import type { TimescaleEdition } from '../storage/database.js';
import { ALL_ON_SERVERS, type StoragePlaces } from '../storage/measure-sizes.js';
import { archiveJob } from './archive-job.js';
import { compressJob } from './compress-job.js';
import { episodesJob } from './episodes-job.js';
import { housekeepingJobs } from './housekeeping-jobs.js';
import type { JobDefinition } from './job.js';
import { learnIntervalsJob } from './learn-intervals-job.js';
import { measureStorageJob } from './measure-storage-job.js';
import { refreshJobs } from './refresh-jobs.js';
import { refreshLateJob } from './refresh-late-job.js';
import { retainAggregatesJob } from './retain-aggregates-job.js';
import { retainRawJob } from './retain-raw-job.js';
import { verifyArchiveJob } from './verify-archive-job.js';

export interface JobSettings {
  readonly retention?: Retention;
  /** Without it nothing is archived, and no reading dropped. */
  readonly archiver?: Archiver | undefined;
  /** Without it nobody looks for episodes. */
  readonly episodes?: EpisodeSettings | undefined;
  /** Where what is not on servers lies. */
  readonly places?: StoragePlaces;
}

/** All jobs of a database with this edition of TimescaleDB: a new job is a file and a line here. */
export function jobDefinitions(
  timescale: TimescaleEdition,
  { retention = DEFAULT_RETENTION, archiver, episodes, places = ALL_ON_SERVERS }: JobSettings = {},
): JobDefinition[] {
  const everywhere = [
    ...housekeepingJobs(),
    measureStorageJob(places),
    learnIntervalsJob(),
    ...(archiver === undefined ? [] : [archiveJob(archiver), verifyArchiveJob(archiver)]),
    ...(episodes === undefined ? [] : [episodesJob(episodes)]),
  ];
  if (timescale !== 'community') return everywhere;
  return [
    ...refreshJobs(),
    refreshLateJob(retention),
    compressJob(),
    retainAggregatesJob(retention),
    retainRawJob(retention, archiver),
    ...everywhere,
  ];
}
