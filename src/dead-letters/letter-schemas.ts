/**
 * The shapes in which dead letters are asked for and shown, once: the OpenAPI document, the routes, the page and the
 * command line have them from here. Instants are RFC 3339.
 */
import Type, { type Static } from 'typebox';
import { nullable } from '../config/nullable.js';
import { CHANNELS } from '../telemetry/channels.js';
import { EPOCH_UNITS } from '../telemetry/timestamp.js';

const LETTER_STATES = ['new', 'replayed', 'purged'] as const;

/** Letters that a page of a list has at most, and that one request acts upon. */
const MAX_LETTERS_PER_PAGE = 500;

const Id = Type.String({
  pattern: '^[0-9a-f]{6,64}$',
  description: 'Id of a letter, or as much of its beginning (6 characters at least) as makes it unique.',
});
const Instant = (description: string) =>
  Type.String({
    maxLength: 64,
    description: `${description}; RFC 3339 with offset.`,
    examples: ['2026-11-23T00:00:00Z'],
  });

const FilterFields = {
  code: Type.Optional(Type.String({ maxLength: 128, description: 'Reason, e.g. conflict.' })),
  device_id: Type.Optional(Type.String({ maxLength: 128, description: 'Device.' })),
  since: Type.Optional(Instant('Last given up at this instant or later')),
  until: Type.Optional(Instant('Last given up before this instant')),
  text: Type.Optional(Type.String({ maxLength: 256, description: 'Part of the error, in either case.' })),
};
const State = Type.Enum([...LETTER_STATES, 'all'], { default: 'new', description: 'What became of them.' });

export const FilterSchema = Type.Object(FilterFields, { additionalProperties: false });
export type LetterFilter = Static<typeof FilterSchema>;

export const GroupsQuerySchema = Type.Object({ ...FilterFields, state: State }, { additionalProperties: false });
export type GroupsQuery = Static<typeof GroupsQuerySchema>;

const After = Type.Optional(Type.String({ maxLength: 128, description: 'The `next` of the page before.' }));

export const ListQuerySchema = Type.Object(
  {
    ...FilterFields,
    state: State,
    limit: Type.Integer({ default: 100, minimum: 1, maximum: MAX_LETTERS_PER_PAGE, description: 'Letters per page.' }),
    after: After,
  },
  { additionalProperties: false },
);
export type ListQuery = Static<typeof ListQuerySchema>;

export const LetterPathSchema = Type.Object({ id: Id });

const Outcome = Type.Unsafe<Readonly<Record<string, number>> | null>({
  type: ['object', 'null'],
  additionalProperties: { type: 'integer' },
  description: 'What a replay made of its records: how many were stored, merged, duplicate or overwritten.',
});

const LetterFields = {
  id: Type.String({ description: 'SHA-256, hex, of the original bytes and the code that it first came with.' }),
  code: Type.String({ description: 'What stands in the way of storing it.' }),
  device_id: nullable<string>('string', 'null where it cannot be told.'),
  error: Type.String({ description: 'The reason in words.' }),
  state: Type.Enum([...LETTER_STATES]),
  state_changed_at: nullable<string>('string', 'When it got this state; null: from the beginning.'),
  state_changed_by: nullable<string>('string', 'Who gave it this state; null: it came, or came again.'),
  outcome: Outcome,
  occurrences: Type.Integer({ description: 'How many messages it came in.' }),
  first_at: Type.String({ description: 'When it was first given up.' }),
  last_at: Type.String({ description: 'When it was last given up.' }),
  bytes: Type.Integer({ description: 'Length of the original; 0 once it is purged.' }),
};

export const LetterSchema = Type.Object(LetterFields);
export type Letter = Static<typeof LetterSchema>;

export const LetterListSchema = Type.Object({
  as_of: Type.String(),
  letters: Type.Array(LetterSchema, { description: 'Those given up last come first.' }),
  next: nullable<string>('string', 'To be given as `after` for the next page; null: this is the last one.'),
});
export type LetterList = Static<typeof LetterListSchema>;

export const LetterGroupsSchema = Type.Object({
  as_of: Type.String(),
  groups: Type.Array(
    Type.Object({
      code: Type.String(),
      letters: Type.Integer(),
      occurrences: Type.Integer({ description: 'Messages that these letters came in.' }),
      devices: Type.Integer({ description: 'Different devices among them.' }),
      first_at: Type.String(),
      last_at: Type.String(),
      example: Type.Object(
        { id: Type.String(), device_id: nullable<string>('string', 'Its device.'), error: Type.String() },
        { description: 'The letter given up last.' },
      ),
    }),
    { description: 'By code, most letters first; the first 100.' },
  ),
});
export type LetterGroups = Static<typeof LetterGroupsSchema>;

export const LetterDetailSchema = Type.Object({
  as_of: Type.String(),
  letter: Type.Object({
    ...LetterFields,
    original: Type.Object(
      {
        encoding: Type.Enum(['utf8', 'base64'], { description: 'base64 where the bytes are not UTF-8.' }),
        data: Type.String(),
      },
      { description: 'The bytes as they came.' },
    ),
    headers: Type.Record(Type.String(), Type.Unknown(), { description: 'What travelled beside them.' }),
    history: Type.Array(
      Type.Object({
        at: Type.String(),
        actor: Type.String(),
        action: Type.String(),
        detail: Type.Record(Type.String(), Type.Unknown()),
      }),
      { description: 'What was done to it, oldest first; the last 100 acts.' },
    ),
  }),
});
export type LetterDetail = Static<typeof LetterDetailSchema>;

const FieldName = Type.String({ minLength: 1, maxLength: 128, pattern: '^[^\\u0000]*$' });

export const CorrectionsSchema = Type.Object(
  {
    time_zone: Type.Optional(Type.String({ maxLength: 64, description: 'Zone of timestamps without offset.' })),
    timestamp_unit: Type.Optional(
      Type.Enum(Object.keys(EPOCH_UNITS) as (keyof typeof EPOCH_UNITS)[], {
        description: 'Unit of numeric timestamps.',
      }),
    ),
    units: Type.Optional(
      Type.Record(Type.Enum(CHANNELS.map(({ name }) => name)), Type.String({ maxLength: 32 }), {
        description: 'Units of channels, whatever the record declares.',
      }),
    ),
    device_id: Type.Optional(Type.String({ description: 'Device, whatever the record says.' })),
    rename: Type.Optional(
      Type.Record(FieldName, FieldName, {
        maxProperties: 100,
        description: 'Fields to call something else, where no field has that name already.',
      }),
    ),
    ndjson: Type.Optional(Type.Boolean({ description: 'The original is one record a line.' })),
  },
  { additionalProperties: false, description: 'Applied to the records before they are read; the original stays.' },
);
export type Corrections = Static<typeof CorrectionsSchema>;

const SelectionFields = {
  ids: Type.Optional(Type.Array(Id, { minItems: 1, maxItems: MAX_LETTERS_PER_PAGE })),
  filter: Type.Optional(FilterSchema),
  all: Type.Optional(
    Type.Boolean({ description: 'Every letter that waits. Said on purpose: nothing else means all.' }),
  ),
  limit: Type.Integer({
    default: MAX_LETTERS_PER_PAGE,
    minimum: 1,
    maximum: MAX_LETTERS_PER_PAGE,
    description: 'Letters that this request acts upon at most; `next` leads to the others.',
  }),
  after: After,
};

export const ReplayRequestSchema = Type.Object(
  {
    ...SelectionFields,
    corrections: Type.Optional(CorrectionsSchema),
    overwrite: Type.Optional(Type.Boolean({ description: 'Contradicting values take the place of the stored ones.' })),
    dry_run: Type.Optional(Type.Boolean({ description: 'Say what would happen, and change nothing.' })),
  },
  { additionalProperties: false, description: 'One of ids, filter and all says which letters.' },
);
export type ReplayRequest = Static<typeof ReplayRequestSchema>;

export const ReplayResultSchema = Type.Object({
  as_of: Type.String(),
  dry_run: Type.Boolean(),
  letters: Type.Array(
    Type.Object({
      id: Type.String(),
      result: Type.Enum(['replayed', 'refused', 'skipped'], {
        description: 'refused: it waits on, with this code and error. skipped: it does not wait (any more).',
      }),
      outcome: Outcome,
      code: nullable<string>('string', 'Why it was refused.'),
      error: nullable<string>('string', 'Why it was refused or skipped, in words.'),
    }),
  ),
  next: nullable<string>('string', 'To be given as `after` to go on; null: all are done.'),
});
export type ReplayResult = Static<typeof ReplayResultSchema>;
export type ReplayedLetter = ReplayResult['letters'][number];

export const PurgeRequestSchema = Type.Object(SelectionFields, {
  additionalProperties: false,
  description: 'One of ids, filter and all says which letters.',
});
export type PurgeRequest = Static<typeof PurgeRequestSchema>;

export const PurgeResultSchema = Type.Object({
  as_of: Type.String(),
  purged: Type.Array(Type.String(), { description: 'Ids; their original bytes are gone.' }),
  next: nullable<string>('string', 'To be given as `after` to go on; null: all are done.'),
});
export type PurgeResult = Static<typeof PurgeResultSchema>;

/** Which letters to act upon. */
export type Selection = Pick<ReplayRequest, keyof typeof SelectionFields>;
