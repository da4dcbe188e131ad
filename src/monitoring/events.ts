/**
 * What happens, said once: an event is a log line and its metrics together. The list is closed; rooms call
 * `events.emit('batch_written', {...})` and know neither logger nor metrics.
 */
import type { Logger } from 'pino';
import type { OutcomeCounts } from '../telemetry/outcome.js';
import type { Metrics } from './metrics.js';

type Level = 'debug' | 'info' | 'warn' | 'error';

interface EventDefinition<F extends object> {
  readonly level: Level;
  readonly message: string;
  readonly count?: (metrics: Metrics, fields: F) => void;
}

const event = <F extends object>(
  level: Level,
  message: string,
  count?: (metrics: Metrics, fields: F) => void,
): EventDefinition<F> => (count === undefined ? { level, message } : { level, message, count });

const countCodes = (metrics: Metrics, codes: Readonly<Record<string, number>>): void => {
  for (const [code, amount] of Object.entries(codes)) metrics.add('telemetry_rejections_total', amount, { code });
};

type AlertTurn = { rule: string; severity: string; fingerprint: string; summary: string };
type EpisodeTurn = { episode: number; device: string; diagnosis: string | null; confidence: number };

export const EVENTS = {
  // ingest
  records_received: event<{
    accepted: number;
    rejected: number;
    codes: Readonly<Record<string, number>>;
    source: string;
  }>('debug', 'records received', (metrics, { accepted, rejected, codes }) => {
    metrics.add('telemetry_records_received_total', accepted + rejected);
    metrics.add('telemetry_records_total', rejected, { outcome: 'rejected' });
    countCodes(metrics, codes);
  }),
  request_finished: event<{ method: string; route: string; status: number; seconds: number; requestId: string }>(
    'debug',
    'request finished',
    (metrics, { method, route, status, seconds }) => {
      metrics.add('http_requests_total', 1, { method, route, status: String(status) });
      metrics.observe('http_request_seconds', seconds, { route });
    },
  ),
  request_failed: event<{ error: unknown; requestId: string }>(
    'error',
    'request failed: this is a defect or a dependency is down',
  ),
  listening: event<{ url: string }>('info', 'listening'),
  tls_failed: event<{ reason: string; address: string | null }>(
    'debug',
    'a connection did not come about: the other side wants no TLS 1.3, or does not trust the certificate',
    (metrics, { reason }) => metrics.add('tls_failures_total', 1, { reason }),
  ),
  certificate_loaded: event<{ names: readonly string[]; fingerprint: string; expires: string }>(
    'info',
    'certificate in use from now on',
    (metrics, { expires }) => metrics.set('tls_certificate_expiry_timestamp_seconds', Date.parse(expires) / 1000),
  ),
  certificate_refused: event<{ error: unknown }>(
    'error',
    'the new certificate cannot be used; the one before it stays in use',
  ),
  certificate_expiring: event<{ expires: string; fingerprint: string }>(
    'warn',
    'the certificate expires within two weeks or has expired: replace its files, no restart is needed',
  ),
  // keys
  auth_failed: event<{ reason: string; keyId: string | null; address: string; requestId: string }>(
    'debug',
    'a request was refused because of its key',
    (metrics, { reason }) => metrics.add('http_auth_failures_total', 1, { reason }),
  ),
  auth_failing: event<{ failures: number; reason: string; keyId: string | null; address: string }>(
    'warn',
    'requests are refused because of their keys; the last one is shown, further ones are told of in a minute at the earliest',
  ),
  rate_limited: event<{ actor: string; limit: string }>(
    'debug',
    'a request was refused because its sender exceeds its rate',
    (metrics, { limit }) => metrics.add('http_rate_limited_total', 1, { limit }),
  ),
  keys_stale: event<{ error: unknown }>(
    'warn',
    'the API keys cannot be read again or their last use not be noted: those known here stay in force',
  ),
  // queue
  queue_opened: event<{ queue: string; messages: number; records: number; tornBytes: number }>(
    'info',
    'queue opened',
    (metrics, { queue, records, tornBytes }) => {
      if (queue === 'telemetry') metrics.add('telemetry_records_recovered_total', records);
      metrics.add('queue_torn_tail_bytes_total', tornBytes, { queue });
    },
  ),
  queue_refused: event<{ queue: string; code: string }>('warn', 'publication refused', (metrics, { queue, code }) =>
    metrics.add('queue_publish_refused_total', 1, { queue, code }),
  ),
  queue_damaged: event<{
    queue: string;
    file: string;
    offset: number;
    bytes: number;
    messages: number;
    setAside: string | null;
  }>(
    'error',
    'a file of the queue is damaged: check the disk; the good messages behind the damage are delivered',
    (metrics, { queue }) => metrics.add('queue_damage_total', 1, { queue }),
  ),
  queue_troubled: event<{ queue: string; error: unknown }>(
    'warn',
    'a file of the queue could not be read, cut or removed; it is tried again',
  ),
  queue_recovered: event<{ queue: string; records: number }>(
    'debug',
    'records came that another process has published, or that come again',
    (metrics, { queue, records }) => {
      if (queue === 'telemetry') metrics.add('telemetry_records_recovered_total', records);
    },
  ),
  queue_handed_over: event<{ queue: string; records: number }>(
    'debug',
    "records that this process published or held are another consumer's now",
    (metrics, { queue, records }) => {
      if (queue === 'telemetry') metrics.add('telemetry_records_handed_over_total', records);
    },
  ),
  queue_partition_left: event<{ queue: string; messages: number }>(
    'warn',
    'messages wait in a partition beyond queue.partitions, where nobody reads them: set it back until they are read',
  ),
  routing_retried: event<{ code: string; attempt: number; delayMs: number; error: unknown }>(
    'warn',
    'messages of telemetry_queue cannot be sorted into its partitions; they are held, and it is tried again',
  ),
  queue_connection_lost: event<{ purpose: string; error: unknown }>(
    'warn',
    'the connection to RabbitMQ was lost; it is opened again',
  ),
  queue_connection_retried: event<{ purpose: string; attempt: number; delayMs: number; error: unknown }>(
    'warn',
    'RabbitMQ does not answer; the connection is tried again',
  ),
  queue_connection_restored: event<{ purpose: string }>('info', 'the connection to RabbitMQ is back'),
  queue_blocked: event<{ reason: string }>(
    'warn',
    'RabbitMQ takes no messages for want of memory or disk; senders are refused until it does',
  ),
  queue_unblocked: event<object>('info', 'RabbitMQ takes messages again'),
  // pipeline
  batch_written: event<{
    outcomes: OutcomeCounts;
    codes: Readonly<Record<string, number>>;
    anomalies: number;
    records: number;
    seconds: number;
  }>('debug', 'batch written', (metrics, { outcomes, codes, anomalies, records, seconds }) => {
    for (const outcome of ['stored', 'merged', 'duplicate', 'dead_lettered'] as const) {
      if (outcomes[outcome] > 0) metrics.add('telemetry_records_total', outcomes[outcome], { outcome });
    }
    metrics.add('telemetry_records_ingested_total', outcomes.stored + outcomes.merged);
    metrics.ingested.add(outcomes.stored + outcomes.merged);
    metrics.add('telemetry_anomalies_total', anomalies);
    countCodes(metrics, codes);
    metrics.observe('telemetry_batch_records', records);
    metrics.observe('telemetry_batch_write_seconds', seconds);
  }),
  write_retried: event<{ code: string; attempt: number; delayMs: number; error: unknown }>(
    'warn',
    'database not available: the batch is held and written again',
    (metrics, { code }) => metrics.add('telemetry_write_retries_total', 1, { code }),
  ),
  device_state_restored: event<{ devices: number; replayed: number }>('info', 'device state restored'),
  device_state_failed: event<{ error: unknown }>(
    'warn',
    'device state could not be saved; it stays in memory and is tried again',
    (metrics) => metrics.add('telemetry_device_state_failures_total', 1),
  ),
  device_state_unavailable: event<{ devices: number; error: unknown }>(
    'warn',
    'saved device state cannot be read: these devices go on from their stored rows, and it is tried again',
    (metrics) => metrics.add('telemetry_device_state_failures_total', 1),
  ),
  profile_ignored: event<{ device: string; problem: string }>('warn', 'part of the profile of a device cannot be used'),
  ledger_not_written: event<{ error: unknown }>(
    'warn',
    'the loss ledger could not be written; its counts are kept and written with the next, until the process ends',
  ),
  // storage
  migration_applied: event<{ version: number; name: string; milliseconds: number }>('info', 'migration applied'),
  database_opened: event<{ postgres: string; timescale: string; where: string }>('info', 'database opened'),
  database_connection_lost: event<{ error: unknown }>(
    'warn',
    'an idle connection to the database was lost; the next call opens another',
  ),
  database_reopening: event<{ error: unknown }>(
    'error',
    'the embedded database had stopped and is opened again; what was committed is there',
  ),
  checkpoint_failed: event<{ error: unknown }>(
    'warn',
    'the embedded database could not write a checkpoint; it is tried again',
  ),
  storage_gauges_stale: event<{ error: unknown }>(
    'warn',
    'storage could not be measured; the metrics keep their last figures',
  ),
  // jobs
  job_finished: event<{ job: string; milliseconds: number; result: unknown }>(
    'debug',
    'job finished',
    (metrics, { job, milliseconds }) => {
      metrics.add('job_runs_total', 1, { job, result: 'succeeded' });
      metrics.observe('job_run_seconds', milliseconds / 1000, { job });
      metrics.set('job_last_success_timestamp_seconds', Date.now() / 1000, { job });
      metrics.set('job_failures_in_a_row', 0, { job });
    },
  ),
  job_failed: event<{ job: string; attempt: number; dueInSeconds: number; error: unknown }>(
    'error',
    'job failed; it is tried again after a pause',
    (metrics, { job, attempt }) => {
      metrics.add('job_runs_total', 1, { job, result: 'failed' });
      metrics.set('job_failures_in_a_row', attempt, { job });
    },
  ),
  job_failing: event<{ job: string; attempts: number; error: unknown }>(
    'error',
    'a job has failed several times in a row: look at `downhole jobs history`; it is tried again all the same',
  ),
  job_recovered: event<{ job: string; attempts: number }>('info', 'a job that was failing has succeeded'),
  // episodes
  episode_opened: event<EpisodeTurn>('warn', 'something is wrong with a device', (metrics, { diagnosis }) =>
    metrics.add('episodes_opened_total', 1, { diagnosis: diagnosis ?? 'none' }),
  ),
  episode_ended: event<EpisodeTurn>('info', 'an episode is over', (metrics) => metrics.add('episodes_ended_total', 1)),
  episodes_followed: event<{ devices: number; readings: number; goingOn: number }>(
    'debug',
    'readings looked through for episodes',
    (metrics, { goingOn }) => metrics.set('episodes_going_on', goingOn),
  ),
  episode_states_unusable: event<{ devices: number; device: string; reason: string }>(
    'warn',
    'what was known of devices could not be loaded: it is learned anew from their last readings, and slow faults take days again',
    (metrics, { devices, reason }) => metrics.add('episode_states_unusable_total', devices, { reason }),
  ),
  // alerts
  alert_raised: event<AlertTurn>('warn', 'alert', (metrics, { rule }) =>
    metrics.add('alerts_raised_total', 1, { rule }),
  ),
  alert_regraded: event<AlertTurn>('warn', 'an alert that fires has another severity by now'),
  alert_resolved: event<AlertTurn>('info', 'what an alert told of has passed'),
  alerts_counted: event<{ firing: readonly { rule: string; severity: string; alerts: number }[] }>(
    'debug',
    'alerts that are firing, counted',
    (metrics, { firing }) => {
      metrics.clear('alerts_firing');
      for (const { rule, severity, alerts } of firing) metrics.set('alerts_firing', alerts, { rule, severity });
    },
  ),
  alert_delivered: event<{ channel: string; id: string; group: string; attempt: number }>(
    'debug',
    'alerts delivered',
    (metrics, { channel }) => metrics.add('alert_deliveries_total', 1, { channel, result: 'delivered' }),
  ),
  alert_delivery_failed: event<{
    channel: string;
    id: string;
    group: string;
    attempt: number;
    reason: string;
    retryInSeconds: number;
  }>('warn', 'alerts could not be delivered; it is tried again', (metrics, { channel }) =>
    metrics.add('alert_deliveries_total', 1, { channel, result: 'failed' }),
  ),
  alert_undelivered: event<{ channel: string; id: string; group: string; attempts: number; reason: string }>(
    'error',
    'alerts could not be delivered and are given up; look at the configuration of the channel and at what answers there',
    (metrics, { channel }) => metrics.add('alert_deliveries_total', 1, { channel, result: 'given_up' }),
  ),
  alert_source_failed: event<{ rule: string; error: unknown }>(
    'warn',
    'what is the case cannot be told; alerts stay as they are',
  ),
  // archive
  archive_part_verified: event<{
    from: string;
    to: string;
    revision: number;
    rows: number;
    bytes: number;
    seconds: number;
  }>('info', 'chunk archived: uploaded, read back and found the same', (metrics, { rows, bytes, seconds }) => {
    metrics.add('archive_rows_total', rows);
    metrics.add('archive_bytes_total', bytes);
    metrics.observe('archive_part_seconds', seconds);
  }),
  archive_part_stale: event<{ from: string; to: string; revision: number; reason: string }>(
    'info',
    'an archived chunk is archived again as the next revision',
    (metrics) => metrics.add('archive_parts_stale_total', 1),
  ),
  archive_part_restored: event<{
    from: string;
    to: string;
    revision: number;
    into: string;
    rows: number;
    differing: number;
    seconds: number;
  }>('info', 'rows of an archived part are in the table again'),
  archive_part_damaged: event<{ from: string; to: string; revision: number; damage: string }>(
    'error',
    'a part of the archive is missing or damaged: where its rows are still in the database the next run makes another',
    (metrics) => metrics.add('archive_parts_damaged_total', 1),
  ),
  // retention
  chunk_dropped: event<{ from: string; to: string; revision: number; chunk: string; rows: number; lateRows: number }>(
    'info',
    'readings past their retention dropped: the archive has them; lateRows came after an earlier drop, and no aggregate has them',
    (metrics, { rows, lateRows }) => {
      metrics.add('retention_chunks_dropped_total', 1);
      metrics.add('retention_rows_dropped_total', rows);
      metrics.add('retention_late_rows_dropped_total', lateRows);
    },
  ),
  chunks_kept: event<{ reasons: Readonly<Record<string, number>> }>(
    'debug',
    'chunks past their retention are kept: `downhole jobs history retain-raw` says why',
    (metrics, { reasons }) => {
      for (const [reason, chunks] of Object.entries(reasons)) metrics.set('retention_chunks_kept', chunks, { reason });
    },
  ),
  late_rows_after_drop: event<{ day: string; rows: number }>(
    'warn',
    'readings came for a day whose chunk has been dropped: they are archived beside it, the aggregates of the day stay without them',
  ),
  // dead letters
  dead_letters_drained: event<{ letters: number }>('info', 'dead letters stored in the table dead_letters'),
  dead_letters_replayed: event<{ replayed: number; refused: number; actor: string }>(
    'info',
    'dead letters replayed',
    (metrics, { replayed, refused }) => {
      metrics.add('dead_letters_replayed_total', replayed, { result: 'replayed' });
      metrics.add('dead_letters_replayed_total', refused, { result: 'refused' });
    },
  ),
  dead_letters_purged: event<{ letters: number; actor: string }>(
    'info',
    'dead letters given up for good',
    (metrics, { letters }) => metrics.add('dead_letters_purged_total', letters),
  ),
  // simulator
  simulator_started: event<{ wells: number; intervalSeconds: number }>('info', 'simulator started'),
  simulator_refused: event<{ status: number; message: string }>(
    'warn',
    'the API did not take simulated records; they are sent again',
  ),
  // process
  configuration_doubtful: event<{ warning: string }>('warn', 'the configuration works, and should be changed'),
  policy_doubtful: event<{ warning: string }>(
    'warn',
    'the ages of compression, refresh, archive and retention lose nothing, and should be changed',
  ),
  started: event<{ version: string; roles: string; dataDir: string }>('info', 'downhole started'),
  stopping: event<{ signal: string }>('info', 'stopping: finishing what is under way'),
  stopped: event<{ milliseconds: number }>('info', 'stopped'),
} as const;

export type EventName = keyof typeof EVENTS;
export type EventFields<N extends EventName> = (typeof EVENTS)[N] extends EventDefinition<infer F> ? F : never;

/** Where events go. Rooms take this interface, so that a test can listen. */
export interface Events {
  emit<N extends EventName>(name: N, fields: EventFields<N>): void;
}

/** Events into a logger and the metrics of this process. */
export function createEvents(logger: Logger, metrics: Metrics): Events {
  return {
    emit(name, fields) {
      const definition = EVENTS[name] as EventDefinition<object>;
      const { error, ...rest } = fields as { error?: unknown };
      logger[definition.level](
        { event: name, ...rest, ...(error === undefined ? {} : { err: error }) },
        definition.message,
      );
      definition.count?.(metrics, fields);
    },
  };
}
