/**
 * The shapes of the ingest API, once: the OpenAPI document and the types come from here, the channels from the
 * catalogue. Telemetry itself is judged by the pipeline's reader, which explains every refusal; these schemas describe.
 */
import Type, { type Static, type TSchema } from 'typebox';
import { nullable } from '../config/nullable.js';
import { CHANNELS, type Channel } from '../telemetry/channels.js';
import { REJECTION_CODES } from '../telemetry/rejection.js';
import { EPOCH_UNITS } from '../telemetry/timestamp.js';

const ErrorFields = {
  code: Type.String({ description: 'Stable, for programs.' }),
  message: Type.String({ description: 'What is wrong and what to do about it.' }),
  field: Type.Optional(Type.String({ description: 'The field or parameter at fault.' })),
};

const errorSchema = (description: string) => Type.Object({ error: Type.Object(ErrorFields) }, { description });

/** The errors that a route can answer with, by status. */
export const ERRORS = {
  400: errorSchema('The request cannot be read; the message says why.'),
  401: errorSchema('There is no API key, or not one that lets in.'),
  403: errorSchema('The key may not do this, or Host or Origin is not this server.'),
  404: errorSchema('There is no such thing.'),
  413: errorSchema('The body, or the number of its records, is beyond the limit.'),
  415: errorSchema('Content type or content encoding is not taken.'),
  429: errorSchema('More requests or records per second than the key may send. Send again after Retry-After seconds.'),
  500: errorSchema('A defect; the log has it under the request id.'),
  503: errorSchema('Not now: the queue is full, or a dependency is down. Send again after Retry-After seconds.'),
} as const;

/** Some of the errors above, for the `response` of a route. */
export function errors<S extends keyof typeof ERRORS>(...statuses: S[]): Record<S, TSchema> {
  const chosen: [S, TSchema][] = statuses.map((status) => [status, ERRORS[status]]);
  return Object.fromEntries(chosen) as Record<S, TSchema>;
}

const EXAMPLE_VALUES: Readonly<Record<string, number>> = {
  temperature: 82.4,
  vibration: 0.31,
  pressure: 1480.5,
  flow_rate: 2150,
};

const TimestampUnit = Type.Enum(Object.keys(EPOCH_UNITS), {
  description: 'Unit of a numeric timestamp.',
});

/** A channel's value and its unit, as the catalogue has them. */
function channelProperties(channel: Channel): [string, TSchema][] {
  const { name, label, unit, minimum, maximum, acceptedUnits } = channel;
  return [
    [
      name,
      Type.Optional(
        Type.Unsafe<number | null>({
          type: ['number', 'null'],
          description:
            `${label} in ${unit} unless ${name}_unit says otherwise. Possible: ${minimum} to ${maximum} ${unit}; ` +
            'any other value is stored as NULL, flagged, and kept in raw_values.',
          ...(name in EXAMPLE_VALUES ? { examples: [EXAMPLE_VALUES[name]] } : {}),
        }),
      ),
    ],
    [`${name}_unit`, Type.Optional(Type.Enum([...acceptedUnits], { description: `Unit of ${name}.`, default: unit }))],
  ];
}

const RecordSchema = Type.Object(
  {
    device_id: Type.String({
      minLength: 1,
      maxLength: 128,
      description: 'No control characters.',
      examples: ['ESP-017'],
    }),
    timestamp: Type.Unsafe<string | number>({
      type: ['string', 'number'],
      description: 'RFC 3339 with offset, or a number with timestamp_unit. Microseconds are kept.',
      examples: ['2026-11-23T18:22:08.672341Z'],
    }),
    timestamp_unit: Type.Optional(TimestampUnit),
    source_system: Type.Optional(Type.String({ maxLength: 128, default: 'scada' })),
    ...Object.fromEntries(CHANNELS.flatMap(channelProperties)),
  },
  {
    additionalProperties: true,
    description: 'One reading of one device. Fields that are no channels are counted, flagged and kept in raw_values.',
  },
);

const EnvelopeSchema = Type.Object(
  {
    records: Type.Array(RecordSchema),
    units: Type.Optional(
      Type.Object(
        Object.fromEntries(
          CHANNELS.map(({ name, acceptedUnits }) => [name, Type.Optional(Type.Enum([...acceptedUnits]))]),
        ),
        { additionalProperties: false, description: 'Units of the channels, for all records.' },
      ),
    ),
    timestamp_unit: Type.Optional(TimestampUnit),
    time_zone: Type.Optional(
      Type.String({
        description: 'Zone of timestamps without offset: UTC, +03:00 or an IANA name.',
        examples: ['UTC'],
      }),
    ),
    device_id: Type.Optional(Type.String({ description: 'Device of records that name none.' })),
    source_system: Type.Optional(Type.String()),
  },
  { additionalProperties: false, description: 'Records with what they have in common.' },
);

/** Every form of a telemetry body, by content type: what OpenAPI calls `content`. */
export const TELEMETRY_CONTENT = {
  'application/json': { schema: Type.Union([RecordSchema, Type.Array(RecordSchema), EnvelopeSchema]) },
  'application/x-ndjson': { schema: Type.String({ description: 'One record a line.' }) },
};

const RejectedRecordSchema = Type.Object({
  index: Type.Integer({ minimum: 0, description: 'Position of the record in the request, from 0.' }),
  field: Type.String({ description: 'The field at fault; empty when it is the record as a whole.' }),
  code: Type.Enum(Object.keys(REJECTION_CODES)),
  message: Type.String({ description: 'What is wrong and what to do about it.' }),
});

const AcceptedFields = {
  accepted: Type.Integer({ description: 'Records that are durable in the queue now.' }),
  rejected: Type.Array(RejectedRecordSchema, { description: 'Records that were not taken; the first 1000.' }),
  rejected_total: Type.Optional(
    Type.Integer({ description: 'How many were not taken, where the list had to be cut off.' }),
  ),
};

export const AcceptedSchema = Type.Object(AcceptedFields, { description: 'The accepted records are durable.' });
export const NothingAcceptedSchema = Type.Object(
  { error: Type.Object(ErrorFields), ...AcceptedFields },
  { description: 'No record was accepted.' },
);

const count = (description: string) => Type.Integer({ minimum: 0, description });

export const OutcomeCountsSchema = Type.Object(
  {
    stored: count('New rows.'),
    merged: count('Records that filled channels of a row already there.'),
    duplicate: count('Records that were there already.'),
    dead_lettered: count('Records set aside with a reason.'),
    rejected: count('Records refused.'),
  },
  { description: 'What became of the records; they are committed.' },
);

const CheckSchema = Type.Object({
  ok: Type.Boolean(),
  detail: Type.String({ description: 'How it is, or what is wrong.' }),
  since: Type.String({ description: 'Since when it has been so; RFC 3339.' }),
  required: Type.Boolean({ description: 'Whether the process is not ready without it.' }),
});

const ReadinessStatus = Type.Enum(['ready', 'degraded', 'not_ready'], {
  description: 'degraded: it serves, and goes without something that is not required.',
});

export const ReadinessSchema = Type.Object(
  {
    status: ReadinessStatus,
    checks: Type.Optional(
      Type.Record(Type.String(), CheckSchema, { description: 'One entry a dependency, for those who may read.' }),
    ),
  },
  { description: 'Whether requests can be served.' },
);
export const LivenessSchema = Type.Object({ status: Type.Enum(['alive']) }, { description: 'The process answers.' });
export const HealthSchema = Type.Object(
  {
    version: Type.String(),
    live: Type.Boolean(),
    ready: Type.Boolean({ description: 'Also while degraded.' }),
    status: ReadinessStatus,
    checks: Type.Record(Type.String(), CheckSchema),
  },
  { description: 'Both answers in one.' },
);

export const NewHoldSchema = Type.Object(
  {
    device_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: 'Absent: all devices.' })),
    from: Type.String({ description: 'RFC 3339 with offset; included.', examples: ['2026-11-01T00:00:00Z'] }),
    to: Type.String({ description: 'RFC 3339 with offset; not included.', examples: ['2026-11-08T00:00:00Z'] }),
    reason: Type.String({
      minLength: 1,
      maxLength: 1000,
      pattern: '^[^\\u0000]*$',
      description: 'For whoever finds the hold later.',
    }),
    expires_at: Type.Optional(Type.String({ description: 'RFC 3339; absent: until it is released.' })),
  },
  { additionalProperties: false, description: 'A range that retention leaves alone.' },
);
export type NewHold = Static<typeof NewHoldSchema>;

export const HoldSchema = Type.Object({
  id: Type.Integer(),
  device_id: nullable<string>('string', 'null: all devices.'),
  from: Type.String(),
  to: Type.String(),
  reason: Type.String(),
  created_at: Type.String(),
  created_by: Type.String({ description: 'Who asked for it.' }),
  expires_at: nullable<string>('string', 'null: until it is released.'),
  released_at: nullable<string>('string', 'null: in force.'),
});
export const HoldPath = Type.Object({
  id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'Id of the hold.' }),
});
export const HoldListSchema = Type.Object({ holds: Type.Array(HoldSchema) });
