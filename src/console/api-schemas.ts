/**
 * The shapes of the read API, once: the OpenAPI document, the routes' types and the page's types come from here.
 * Field names of time series are in catalogue terms; instants are RFC 3339 unless a name says `timestamps` (epoch seconds).
 */
import Type, { type Static } from 'typebox';
import { nullable } from '../config/nullable.js';
import { CHANNEL_NAMES } from '../telemetry/channels.js';

/** `T | null` as one JSON Schema type list, which every OpenAPI 3.1 reader understands. */
const nullableNumbers = (description: string) =>
  Type.Unsafe<(number | null)[]>({ type: 'array', items: { type: ['number', 'null'] }, description });

export const ErrorSchema = Type.Object(
  {
    error: Type.Object({
      code: Type.String({ description: 'Stable, for programs.' }),
      message: Type.String({ description: 'What is wrong and what to do about it.' }),
      field: Type.Optional(Type.String({ description: 'The parameter at fault.' })),
    }),
  },
  { description: 'The request was not answered.' },
);

export const SparklineSchema = Type.Object({
  channel: Type.String(),
  timestamps: Type.Array(Type.Number(), { description: 'Epoch seconds, start of each bucket.' }),
  values: nullableNumbers('Mean of each bucket, canonical unit.'),
});
export type Sparkline = Static<typeof SparklineSchema>;

export const DeviceSchema = Type.Object({
  device_id: Type.String(),
  display_name: nullable<string>('string', 'Name for people; null when nobody gave one.'),
  site: nullable<string>('string', 'Site.'),
  field: nullable<string>('string', 'Field.'),
  expected_interval_seconds: nullable<number>('number', 'Seconds between records, as configured for the device.'),
  first_seen: nullable<string>('string', 'Time of its first record.'),
  last_seen: nullable<string>('string', 'Time of its last record.'),
  operating_state: Type.String({ description: 'unknown, off, starting, running or transient, at its last record.' }),
  quality_score: nullable<number>('number', 'Score (0 … 1) of its last record.'),
  is_anomaly: nullable<boolean>('boolean', 'Whether its last record is anomalous.'),
  anomaly_cause: nullable<string>('string', 'What the anomaly is attributed to.'),
  values: Type.Record(Type.String(), Type.Object({ value: Type.Number(), timestamp: Type.String() }), {
    description: 'Last value of each channel, canonical unit.',
  }),
  sparkline: Type.Optional(SparklineSchema),
});
export type Device = Static<typeof DeviceSchema>;

export const DeviceListSchema = Type.Object({
  as_of: Type.String({ description: 'Clock of the server at this answer.' }),
  total: Type.Integer({ description: 'Devices that match, beyond this page too.' }),
  limit: Type.Integer(),
  offset: Type.Integer(),
  devices: Type.Array(DeviceSchema),
});
export type DeviceList = Static<typeof DeviceListSchema>;

export const DeviceDetailSchema = Type.Object({
  as_of: Type.String({ description: 'Clock of the server at this answer.' }),
  device: DeviceSchema,
  data_from: nullable<string>('string', 'Where its data begins, at whatever resolution is left.'),
  data_to: nullable<string>('string', 'Where its data ends.'),
});
export type DeviceDetail = Static<typeof DeviceDetailSchema>;

export const SERIES_SOURCES = ['raw', '1min', '1hour', 'daily'] as const;
export type SeriesSource = (typeof SERIES_SOURCES)[number];

export const ChannelSeriesSchema = Type.Object({
  avg: nullableNumbers('The reading itself where nothing was summarised, else the mean.'),
  min: Type.Optional(nullableNumbers('Least reading of each point; absent where nothing was summarised.')),
  max: Type.Optional(nullableNumbers('Greatest reading of each point; absent where nothing was summarised.')),
});
export type ChannelSeries = Static<typeof ChannelSeriesSchema>;

export const SeriesSchema = Type.Object({
  device_id: Type.String(),
  as_of: Type.String({ description: 'Clock of the server at this answer.' }),
  from: Type.String(),
  to: Type.String(),
  source: Type.Enum([...SERIES_SOURCES], { description: 'The table that answered.' }),
  bucket_seconds: nullable<number>('number', 'Width of a point; null: the readings themselves.'),
  truncated: Type.Boolean({
    description: 'True when the range had more rows than are read at once: its end is shown.',
  }),
  timestamps: Type.Array(Type.Number(), { description: 'Epoch seconds; the start of each bucket.' }),
  channels: Type.Record(Type.String(), ChannelSeriesSchema, { description: `Of: ${CHANNEL_NAMES.join(', ')}.` }),
  anomalies: Type.Array(Type.Integer(), { description: 'Anomalous records in each point.' }),
  samples: Type.Array(Type.Integer(), { description: 'Records in each point.' }),
});
export type Series = Static<typeof SeriesSchema>;

const ConservationSchema = Type.Object(
  {
    received: Type.Number(),
    recovered: Type.Number({ description: 'Found in the queue when the process started, or published by others.' }),
    stored: Type.Number(),
    merged: Type.Number(),
    duplicate: Type.Number(),
    dead_lettered: Type.Number(),
    rejected: Type.Number(),
    handed_over: Type.Number({
      description: 'Published here, and consumed by another process: it is recovered there.',
    }),
    in_flight: Type.Number(),
    difference: Type.Number({
      description: 'received + recovered − all others; other than 0 only while a batch changes hands.',
    }),
  },
  { description: 'Records since the process started.' },
);

export const PipelineSchema = Type.Object({
  as_of: Type.String(),
  conservation: Type.Union([ConservationSchema, Type.Null()], {
    description: 'Of this process; null where the pipeline is in another one, whose metrics have the counts.',
  }),
  records_per_second: nullable<number>('number', 'Written per second, mean of the last minute; null as above.'),
  anomalies: nullable<number>('number', 'Anomalous records since the process started; null as above.'),
  queues: Type.Array(
    Type.Object({ name: Type.String(), messages: Type.Number(), records: Type.Number(), bytes: Type.Number() }),
    { description: 'As this process knows them; empty where it has no queues.' },
  ),
  dead_letters: Type.Array(
    Type.Object({
      code: Type.String(),
      count: Type.Number(),
      last_received: nullable<string>('string', 'When the last one came.'),
    }),
    { description: 'Stored dead letters not yet replayed or purged, by reason, most first.' },
  ),
});
export type PipelineStatus = Static<typeof PipelineSchema>;

export const StorageSchema = Type.Object({
  as_of: Type.String(),
  database: Type.Object({
    postgres: Type.String(),
    timescale: Type.String({ description: 'none, apache or community.' }),
    timescale_version: nullable<string>('string', 'Version of TimescaleDB.'),
    survives_power_loss: Type.Boolean(),
    bytes: Type.Number({ description: 'Size of the whole database.' }),
  }),
  tables: Type.Array(
    Type.Object({
      name: Type.String(),
      bytes: Type.Number({ description: 'With indexes and compressed chunks.' }),
      chunks: Type.Integer(),
      compressed_chunks: Type.Integer(),
      bytes_before_compression: Type.Number({ description: 'Of the compressed chunks.' }),
      bytes_after_compression: Type.Number({ description: 'Of the compressed chunks.' }),
      stored_until: nullable<string>('string', 'Of an aggregate: later buckets are computed from their source.'),
      lag_seconds: nullable<number>('number', 'Of an aggregate: closed data that is not stored yet; 0 = up to date.'),
    }),
    { description: 'The readings, then the aggregates.' },
  ),
  readings: Type.Object({
    uncompressed_bytes: Type.Number({ description: 'Of chunks that are not compressed, with indexes.' }),
    compressed_bytes: Type.Number({ description: 'Of compressed chunks, with indexes.' }),
    index_bytes: Type.Number({ description: 'Indexes of both.' }),
    compression_ratio: nullable<number>(
      'number',
      'Bytes before / after, over all compressed chunks; null: there are none.',
    ),
    chunks: Type.Object(
      {
        uncompressed: Type.Integer(),
        compressed: Type.Integer(),
        partial: Type.Integer({ description: 'Compressed, and rows came since: due to be compressed again.' }),
        archived: Type.Integer({ description: 'With a verified part in the archive.' }),
        held: Type.Integer({ description: 'Under a hold in force.' }),
        past_retention: Type.Integer({ description: 'Older than retention.rawDays.' }),
      },
      { description: 'How many chunks are what; one can be several of these.' },
    ),
  }),
  chunk_list: Type.Optional(
    Type.Array(
      Type.Object({
        name: Type.String(),
        from: Type.String(),
        to: Type.String(),
        bytes: Type.Number(),
        index_bytes: Type.Number(),
        bytes_before_compression: nullable<number>('number', 'null: it is not compressed.'),
        bytes_after_compression: nullable<number>('number', 'null: it is not compressed.'),
        states: Type.Array(Type.String(), {
          description: 'uncompressed or compressed; partial, archived, held, past_retention.',
        }),
      }),
      { description: 'With ?chunks=true: the chunks of readings, oldest first.' },
    ),
  ),
  archive: Type.Object({
    parts: Type.Integer({ description: 'All that were written, stale ones too: none is deleted.' }),
    rows: Type.Number({ description: 'In those that are not stale.' }),
    bytes: Type.Number(),
  }),
  disk: Type.Object(
    {
      measured_at: nullable<string>('string', 'When; the job measure-storage does it every hour. null: never yet.'),
      used_bytes: nullable<number>(
        'number',
        'By the database, and by queue and archive where they are on the same disk.',
      ),
      free_bytes: nullable<number>('number', 'null: the disk cannot be seen, or nothing was measured yet.'),
      total_bytes: nullable<number>('number', 'As free_bytes.'),
      queue_bytes: nullable<number>('number', 'Files of the embedded queue; null: it is RabbitMQ.'),
      directory_bytes: nullable<number>('number', 'Files of the data directory; null: nothing is embedded.'),
      growth_bytes_per_day: nullable<number>('number', 'Median over the last 28 days; null: too little is known.'),
      days_until_full: nullable<number>('number', 'null: unknown, or it does not fill; basis says which.'),
      basis: Type.String({ description: 'What the days were computed from, or why they could not be.' }),
    },
    { description: 'The disk that the database is on.' },
  ),
  jobs: Type.Array(
    Type.Object({
      job: Type.String(),
      result: Type.String({ description: 'Of its last run: running, succeeded or failed.' }),
      attempt: Type.Integer({ description: 'Of its last run: 1, or one more for each failure before it.' }),
      started_at: nullable<string>('string', 'Start of its last run.'),
      finished_at: nullable<string>('string', 'End of its last run.'),
      due_at: nullable<string>('string', 'When it is due again, as planned at the end of its last run.'),
      last_success: nullable<string>('string', 'End of its last successful run.'),
      error: nullable<string>('string', 'What its last run said, where it failed.'),
    }),
  ),
});
export type StorageStatus = Static<typeof StorageSchema>;
