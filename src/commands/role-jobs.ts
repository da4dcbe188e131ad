/** The role `jobs`: the scheduled work on the database, and how large it is. */
import { AlertKeeper } from '../alerts/alert-keeper.js';
import type { Config } from '../config/schema.js';
import type { EpisodeSettings } from '../episodes/episode-follower.js';
import { jobDefinitions } from '../jobs/job-definitions.js';
import { JobRunner } from '../jobs/job-runner.js';
import { judgementVersion } from '../pipeline/judgement-version.js';
import type { Broker } from '../queue/queue.js';
import { rabbitmqAddress } from '../queue/rabbitmq-address.js';
import { countWaiting } from '../queue/rabbitmq-inspection.js';
import type { Database } from '../storage/database.js';
import { applyCompressionAge, readStoredPolicies } from '../storage/policy/stored-policies.js';
import { alertChannels, messageTimes } from './alert-channels.js';
import { alertRules, type AlertSubjects } from './alert-rules.js';
import { openArchiver } from './open-archiver.js';
import { Closers } from './closers.js';
import type { Settings } from './load-settings.js';
import type { ProcessParts } from './process-parts.js';
import { PROGRAM_VERSION } from './program-version.js';
import { refuseUnsafePolicy } from './refuse-unsafe-policy.js';
import type { StartedRole } from './started-role.js';
import { publishStorageGauges } from './storage-gauges.js';
import { storagePlaces } from './storage-places.js';

/**
 * Opens the database and starts the jobs. Stopped, a job hands back after the slice under way.
 * @param broker the queues, where another role of this process has them: their depth is looked at
 * @throws OperationalError `unsafe_policy`, for what the database itself holds (the configuration has been looked at before)
 */
export async function startJobs(parts: ProcessParts, broker?: Broker): Promise<StartedRole> {
  const { config, events, metrics } = parts.settings;
  const database = await parts.database();
  refuseUnsafePolicy(parts.settings, await readStoredPolicies(database));
  await applyCompressionAge(database, config.compression.afterDays);
  const closers = new Closers();
  const jobs = await buildJobRunner(database, parts.settings);
  jobs.start();
  closers.add(() => jobs.stop());
  closers.add(publishStorageGauges(database, metrics, events));
  closers.add(watchForAlerts(parts.settings, { database, jobs, queueDepth: queueDepth(config, broker) }));
  return {
    probes: [parts.databaseProbe()],
    stop: () => closers.close(),
  };
}

/** Begins to look for what somebody should know; returns how to end it. */
function watchForAlerts({ config, events }: Settings, subjects: AlertSubjects): () => Promise<void> {
  const keeper = new AlertKeeper({
    database: subjects.database,
    rules: alertRules(subjects, config),
    channels: alertChannels(config),
    times: messageTimes(config),
    events,
  });
  keeper.start();
  return () => keeper.stop();
}

/** All jobs of this database, whoever asks; not started. Nothing is connected to before a job runs. */
export async function buildJobRunner(database: Database, settings: Settings): Promise<JobRunner> {
  const { config, events } = settings;
  const archiver = await openArchiver(settings, database);
  const jobs = jobDefinitions(database.capabilities.timescale, {
    retention: config.retention,
    archiver,
    episodes: config.episodes.enabled ? episodeSettings(config) : undefined,
    places: storagePlaces(config),
  });
  return new JobRunner({ database, events, jobs, failingAfter: config.alerts.jobFailing.failures });
}

/** Without a queue of its own the process asks RabbitMQ, over a connection for each question: it is one a minute. */
function queueDepth({ queue }: Config, broker: Broker | undefined): AlertSubjects['queueDepth'] {
  if (broker !== undefined) return () => broker.telemetry.depth().messages;
  if (queue.url === '') return undefined;
  return () => countWaiting({ ...rabbitmqAddress(queue), partitions: queue.partitions });
}

function episodeSettings({ episodes, detection }: Config): EpisodeSettings {
  const { maxDevices: _m, settleSeconds: _s, lookBackHours: _l, saveSeconds: _v, ...judging } = episodes;
  const judgedBy = judgementVersion(PROGRAM_VERSION, { ...judging, detection });
  return { ...episodes, detector: detection.detector, judgedBy };
}
