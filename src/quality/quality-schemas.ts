/** The shapes of what the quality monitor answers: routes, command line and page take them from here. Shares are 0 … 1. */
import Type, { type Static } from 'typebox';
import { nullable } from '../config/nullable.js';

/** `T | null` as one JSON Schema type list. */
export const QUALITY_GROUPS = ['fleet', 'site', 'device', 'hour', 'day'] as const;
export type QualityGroup = (typeof QUALITY_GROUPS)[number];

export const QualityFiguresSchema = Type.Object({
  records: Type.Integer({ description: 'Records in the window.' }),
  anomalies: Type.Integer({ description: 'Of them, anomalous.' }),
  avg_quality: nullable<number>('number', 'Mean quality score.'),
  completeness: nullable<number>('number', 'Share of assessed records with all expected channels.'),
  validity: nullable<number>('number', 'Mean quality score, as the dimension that it stands for.'),
  consistency: nullable<number>('number', 'Share of records without an anomaly.'),
  timeliness: nullable<number>('number', 'Share of assessed records that arrived in time.'),
  accuracy: nullable<number>(
    'number',
    'Share of assessed records without a physical contradiction: no impossible value, no frozen reading, lost gauge or leap, no current at standstill, no discharge below intake while running.',
  ),
  overall: nullable<number>(
    'number',
    '0.30 completeness + 0.30 validity + 0.25 consistency + 0.15 timeliness; null when one is unknown.',
  ),
});
export type QualityFigures = Static<typeof QualityFiguresSchema>;

const WINDOW = {
  as_of: Type.String({ description: 'Clock of the server at this answer.' }),
  from: Type.String({ description: 'Beginning of the window, widened to what is kept of that time.' }),
  to: Type.String({ description: 'Its end, exclusive.' }),
  sources: Type.Array(Type.String(), { description: 'The aggregates that answered, of 1min, 1hour and daily.' }),
};

export const QualitySummarySchema = Type.Object({
  ...WINDOW,
  devices: Type.Integer({ description: 'Devices with records in the window.' }),
  ...QualityFiguresSchema.properties,
});
export type QualitySummary = Static<typeof QualitySummarySchema>;

export const QualityRowSchema = Type.Object({
  key: nullable<string>(
    'string',
    'device_id, site (null: devices without one), or the beginning of the hour or UTC day; null for the fleet.',
  ),
  display_name: nullable<string>('string', 'Name for people, of a device.'),
  last_seen: nullable<string>('string', 'Time of the last record of a device.'),
  devices: Type.Integer({ description: 'Devices with records.' }),
  coverage: nullable<number>(
    'number',
    'Of a device: share of the window in which it reported as often as expected (minutes with data).',
  ),
  ...QualityFiguresSchema.properties,
});
export type QualityRow = Static<typeof QualityRowSchema>;

export const QualityListSchema = Type.Object({
  ...WINDOW,
  by: Type.Enum([...QUALITY_GROUPS]),
  total: Type.Integer(),
  limit: Type.Integer(),
  offset: Type.Integer(),
  rows: Type.Array(QualityRowSchema, { description: 'Worst first; hours and days in their order.' }),
});
export type QualityList = Static<typeof QualityListSchema>;

export const GapsSchema = Type.Object({
  as_of: Type.String(),
  device_id: Type.String(),
  from: Type.String(),
  to: Type.String(),
  source: Type.String({
    description: 'raw, or the aggregate that answered: then gaps are known to a minute or an hour.',
  }),
  expected_interval_seconds: Type.Number({ description: 'As it is configured, or was learned.' }),
  threshold_seconds: nullable<number>(
    'number',
    'Silence longer than this is a gap; null: the device reports by exception, so silence says nothing.',
  ),
  total: Type.Integer({ description: 'Gaps in the range.' }),
  gap_seconds: Type.Number({ description: 'Their length together.' }),
  gaps: Type.Array(
    Type.Object({
      from: Type.String({ description: 'Last reading before it, or the beginning of the range.' }),
      to: Type.String({ description: 'First reading after it, or the end of the range.' }),
      seconds: Type.Number(),
      missing_records: Type.Integer({ description: 'As many as would have come at the expected interval.' }),
    }),
    { description: 'The longest, in time order.' },
  ),
});
export type Gaps = Static<typeof GapsSchema>;

export const ProblemsSchema = Type.Object({
  as_of: Type.String(),
  device_id: Type.String(),
  from: Type.String(),
  to: Type.String(),
  records: Type.Integer({ description: 'Records that are still kept of the range.' }),
  problems: Type.Array(
    Type.Object({
      problem: Type.String({ description: 'What GET …/quality/records takes as `problem`.' }),
      dimension: nullable<string>('string', 'The dimension that it counts against; null: none.'),
      records: Type.Integer({ description: 'Records that have it.' }),
    }),
    { description: 'Most frequent first.' },
  ),
});
export type Problems = Static<typeof ProblemsSchema>;

export const ProblemRecordsSchema = Type.Object({
  as_of: Type.String(),
  device_id: Type.String(),
  from: Type.String(),
  to: Type.String(),
  problem: nullable<string>('string', 'null: all records.'),
  next: nullable<string>('string', 'Give it as `until` for the next page; null: there are no more.'),
  records: Type.Array(
    Type.Object({
      timestamp: Type.String(),
      ingestion_timestamp: nullable<string>('string', 'When it was stored.'),
      quality_score: nullable<number>('number', '0 … 1.'),
      problems: Type.Array(Type.String()),
      anomaly_cause: nullable<string>('string', 'Where it is anomalous.'),
      operating_state: Type.String(),
      values: Type.Record(Type.String(), Type.Number(), { description: 'Channels that it has, canonical units.' }),
      raw_values: Type.Unsafe<unknown>({ description: 'What was received and could not be stored as such.' }),
    }),
    { description: 'Newest first.' },
  ),
});
export type ProblemRecords = Static<typeof ProblemRecordsSchema>;
