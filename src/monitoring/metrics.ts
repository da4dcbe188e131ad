/**
 * Every metric of Downhole: a closed list. `docs/reference/metrics.md` is generated from it, and a test compares.
 * Counted per batch, never per record.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { RateWindow } from './rate-window.js';

interface MetricDefinition {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  readonly buckets?: readonly number[];
}

export const METRICS = {
  telemetry_records_received_total: {
    type: 'counter',
    help: 'Records received by the ingest API or an import, refused ones included.',
    labels: [],
  },
  telemetry_records_recovered_total: {
    type: 'counter',
    help: 'Records that came out of the queue and were not received by this process, or came again: found at the start, published by others.',
    labels: [],
  },
  telemetry_records_handed_over_total: {
    type: 'counter',
    help: 'Records that this process published into RabbitMQ, or held, and another process consumes: there they are recovered.',
    labels: [],
  },
  telemetry_records_total: {
    type: 'counter',
    help: 'Records by what became of them: stored, merged, duplicate, dead_lettered, rejected.',
    labels: ['outcome'],
  },
  telemetry_records_in_flight: {
    type: 'gauge',
    help: 'Records that are durable in the queue and not yet written.',
    labels: [],
  },
  telemetry_records_ingested_total: {
    type: 'counter',
    help: 'Records written to the database (stored or merged).',
    labels: [],
  },
  telemetry_ingestion_rate: { type: 'gauge', help: 'Records written per second, mean of the last minute.', labels: [] },
  telemetry_rejections_total: {
    type: 'counter',
    help: 'Refused and dead-lettered records by reason.',
    labels: ['code'],
  },
  telemetry_anomalies_total: { type: 'counter', help: 'Records that the detector called anomalous.', labels: [] },
  telemetry_batch_records: {
    type: 'histogram',
    help: 'Records in a written batch.',
    labels: [],
    buckets: [1, 10, 100, 1000, 2000, 5000, 10_000, 20_000],
  },
  telemetry_batch_write_seconds: {
    type: 'histogram',
    help: 'Time to write a batch, commit included.',
    labels: [],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
  },
  telemetry_write_retries_total: {
    type: 'counter',
    help: 'Writes repeated after a transient database error.',
    labels: ['code'],
  },
  telemetry_device_state_failures_total: {
    type: 'counter',
    help: 'Times that device state or last values could not be read or saved; the pipeline went on from memory.',
    labels: [],
  },
  queue_messages: { type: 'gauge', help: 'Messages published and not acknowledged.', labels: ['queue'] },
  queue_bytes: { type: 'gauge', help: 'Bytes of messages published and not acknowledged.', labels: ['queue'] },
  queue_publish_refused_total: {
    type: 'counter',
    help: 'Publications refused because the queue is at its bound or cannot write.',
    labels: ['queue', 'code'],
  },
  queue_damage_total: {
    type: 'counter',
    help: 'Damaged places found in the embedded queue; the bytes are kept in files named .damaged.',
    labels: ['queue'],
  },
  queue_torn_tail_bytes_total: {
    type: 'counter',
    help: 'Bytes of incomplete messages cut off when the queue was opened: never acknowledged to anyone.',
    labels: ['queue'],
  },
  dead_letters_replayed_total: {
    type: 'counter',
    help: 'Dead letters replayed by this process, and those refused again. Their records are not received anew.',
    labels: ['result'],
  },
  dead_letters_purged_total: { type: 'counter', help: 'Dead letters purged by this process.', labels: [] },
  http_requests_total: { type: 'counter', help: 'HTTP requests.', labels: ['method', 'route', 'status'] },
  http_request_seconds: {
    type: 'histogram',
    help: 'Time to answer an HTTP request.',
    labels: ['route'],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5],
  },
  tls_failures_total: {
    type: 'counter',
    help: 'Connections that failed in TLS: old_protocol, plain_http, certificate_refused (by the client), timeout, connection_lost, other.',
    labels: ['reason'],
  },
  tls_certificate_expiry_timestamp_seconds: { type: 'gauge', help: 'When the certificate in use expires.', labels: [] },
  http_auth_failures_total: {
    type: 'counter',
    help: 'Requests refused because of their key: none, malformed, unknown or revoked, wrong secret, expired, outside its scope, or a cookie sent by a foreign page.',
    labels: ['reason'],
  },
  http_rate_limited_total: {
    type: 'counter',
    help: 'Requests refused because their sender exceeds its rate of requests, of records, or of tries to sign in.',
    labels: ['limit'],
  },
  job_runs_total: { type: 'counter', help: 'Runs of scheduled jobs.', labels: ['job', 'result'] },
  job_run_seconds: {
    type: 'histogram',
    help: 'Time that a run of a job took, where it succeeded.',
    labels: ['job'],
    buckets: [0.01, 0.1, 0.5, 1, 5, 10, 60, 600, 3600],
  },
  job_failures_in_a_row: {
    type: 'gauge',
    help: 'Runs of a job that failed one after another, up to the last one; 0 after a success.',
    labels: ['job'],
  },
  job_last_success_timestamp_seconds: { type: 'gauge', help: 'When a job last succeeded.', labels: ['job'] },
  alerts_firing: {
    type: 'gauge',
    help: 'Alerts that are firing, those in maintenance windows included; as the database has them.',
    labels: ['rule', 'severity'],
  },
  alerts_raised_total: { type: 'counter', help: 'Alerts that this process saw come up.', labels: ['rule'] },
  episodes_opened_total: {
    type: 'counter',
    help: 'Episodes that began, by the diagnosis at that time; none: no signature fits.',
    labels: ['diagnosis'],
  },
  episodes_ended_total: { type: 'counter', help: 'Episodes that ended.', labels: [] },
  episode_states_unusable_total: {
    type: 'counter',
    help: 'Devices whose saved state could not be used: version (of another program), damaged, ahead (of the readings looked through).',
    labels: ['reason'],
  },
  episodes_going_on: { type: 'gauge', help: 'Episodes that go on and that nobody has closed.', labels: [] },
  alert_deliveries_total: {
    type: 'counter',
    help: 'Attempts of this process to deliver alerts: delivered, failed (it is tried again), given_up.',
    labels: ['channel', 'result'],
  },
  archive_rows_total: { type: 'counter', help: 'Rows archived by this process, verified.', labels: [] },
  archive_bytes_total: { type: 'counter', help: 'Bytes of the parts that they are in.', labels: [] },
  archive_part_seconds: {
    type: 'histogram',
    help: 'Time to export, upload, read back and compare a chunk.',
    labels: [],
    buckets: [0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800],
  },
  archive_parts_stale_total: {
    type: 'counter',
    help: 'Archived chunks whose rows had changed, so that they were archived again.',
    labels: [],
  },
  archive_parts_damaged_total: {
    type: 'counter',
    help: 'Parts that this process found missing or damaged in the archive.',
    labels: [],
  },
  retention_chunks_dropped_total: {
    type: 'counter',
    help: 'Chunks of readings dropped by this process, each of them archived.',
    labels: [],
  },
  retention_rows_dropped_total: { type: 'counter', help: 'Rows that were in them.', labels: [] },
  retention_late_rows_dropped_total: {
    type: 'counter',
    help: 'Of these rows, such as came after an earlier drop of their range: archived, and in no aggregate.',
    labels: [],
  },
  retention_chunks_kept: {
    type: 'gauge',
    help: 'Chunks past their retention that the last run kept, by reason.',
    labels: ['reason'],
  },
  aggregate_lag_seconds: {
    type: 'gauge',
    help: 'Closed and known data of a level that is not stored yet; 0 = up to date.',
    labels: ['level'],
  },
  // With a label, so that a process that does not measure has no such metric rather than 0.
  storage_disk_free_bytes: {
    type: 'gauge',
    help: 'Free on the disk of the database, measured every hour; absent where that cannot be seen.',
    labels: ['disk'],
  },
  storage_days_until_disk_full: {
    type: 'gauge',
    help: 'At the growth of the last 28 days; +Inf: it does not fill; absent while it is unknown.',
    labels: ['disk'],
  },
  timescaledb_size_bytes: {
    type: 'gauge',
    help: 'Size of the hypertable with its indexes and compressed chunks.',
    labels: [],
  },
  timescaledb_compression_ratio: {
    type: 'gauge',
    help: 'Bytes before / bytes after, over all compressed chunks; 0 while there are none.',
    labels: [],
  },
} as const satisfies Record<string, MetricDefinition>;

export type MetricName = keyof typeof METRICS;
type NameOfType<T extends MetricDefinition['type']> = {
  [N in MetricName]: (typeof METRICS)[N]['type'] extends T ? N : never;
}[MetricName];
export type Labels<N extends MetricName> = Record<(typeof METRICS)[N]['labels'][number], string>;
/** No label argument for metrics without labels. */
type LabelArgument<N extends MetricName> = (typeof METRICS)[N]['labels'] extends readonly [] ? [] : [labels: Labels<N>];

/** The metrics of one process, in a registry of their own. */
export class Metrics {
  readonly registry = new Registry();
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, Gauge>();
  readonly #histograms = new Map<string, Histogram>();
  readonly #readers = new Map<string, (() => void)[]>();
  /** Records written, for `telemetry_ingestion_rate`. */
  readonly ingested = new RateWindow();

  constructor() {
    this.onRead('telemetry_ingestion_rate', () => this.set('telemetry_ingestion_rate', this.ingested.perSecond()));
    const entries: [string, MetricDefinition][] = Object.entries(METRICS);
    for (const [name, definition] of entries) {
      const options = { name, help: definition.help, labelNames: [...definition.labels], registers: [this.registry] };
      if (definition.type === 'counter') this.#counters.set(name, new Counter(options));
      else if (definition.type === 'gauge') this.#gauges.set(name, this.#gauge(name, options));
      else this.#histograms.set(name, new Histogram({ ...options, buckets: [...(definition.buckets ?? [])] }));
    }
  }

  #gauge(name: string, options: { name: string; help: string; labelNames: string[]; registers: Registry[] }): Gauge {
    return new Gauge({ ...options, collect: () => this.#readers.get(name)?.forEach((read) => read()) });
  }

  /** Has `read` set the gauge whenever somebody looks at it: for what is known and not counted, as a queue's depth. */
  onRead(name: NameOfType<'gauge'>, read: () => void): void {
    this.#readers.set(name, [...(this.#readers.get(name) ?? []), read]);
  }

  add<N extends NameOfType<'counter'>>(name: N, amount: number, ...labels: LabelArgument<N>): void {
    (this.#counters.get(name) as Counter).inc({ ...labels[0] }, amount);
  }

  set<N extends NameOfType<'gauge'>>(name: N, value: number, ...labels: LabelArgument<N>): void {
    (this.#gauges.get(name) as Gauge).set({ ...labels[0] }, value);
  }

  /** Forgets a gauge's values: of what is not there any more it says nothing. */
  clear(name: NameOfType<'gauge'>): void {
    (this.#gauges.get(name) as Gauge).reset();
  }

  observe<N extends NameOfType<'histogram'>>(name: N, value: number, ...labels: LabelArgument<N>): void {
    (this.#histograms.get(name) as Histogram).observe({ ...labels[0] }, value);
  }

  /** The present value of a counter or gauge, summed over its labels; for health and for the conservation check. */
  async value(name: NameOfType<'counter' | 'gauge'>, labels: Record<string, string> = {}): Promise<number> {
    const metric = (this.#counters.get(name) ?? this.#gauges.get(name)) as Counter | Gauge;
    const { values } = await metric.get();
    return values
      .filter((entry) => Object.entries(labels).every(([label, wanted]) => entry.labels[label] === wanted))
      .reduce((sum, entry) => sum + entry.value, 0);
  }
}
