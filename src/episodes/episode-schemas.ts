/** The shapes in which episodes are asked for and shown: routes, command line and page take them from here. */
import Type, { type Static } from 'typebox';
import { nullable } from '../config/nullable.js';

/** `T | null` as one JSON Schema type list. */
export const EPISODE_STATES = ['open', 'ended', 'closed'] as const;
export type EpisodeState = (typeof EPISODE_STATES)[number];

export const MAX_EPISODES_PER_PAGE = 1000;
const MAX_NOTE_LENGTH = 4000;

const Instant = (description: string) =>
  Type.String({
    maxLength: 64,
    description: `${description}; RFC 3339 with offset, or epoch milliseconds.`,
    examples: ['2026-11-23T00:00:00Z'],
  });

export const EpisodesQuerySchema = Type.Object(
  {
    device: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: 'Of this device.' })),
    site: Type.Optional(Type.String({ maxLength: 256, description: 'Of the devices of this site.' })),
    state: Type.Enum([...EPISODE_STATES, 'all'], {
      default: 'all',
      description: 'open: going on; ended: over, and nobody has closed it; closed: dealt with.',
    }),
    acknowledged: Type.Optional(Type.Boolean({ description: 'Whether somebody has seen it.' })),
    diagnosis: Type.Optional(
      Type.String({ maxLength: 64, description: 'This condition; none: those that no signature fits.' }),
    ),
    since: Type.Optional(Instant('Seen at this instant or later')),
    until: Type.Optional(Instant('Begun before this instant')),
    limit: Type.Integer({
      default: 100,
      minimum: 1,
      maximum: MAX_EPISODES_PER_PAGE,
      description: 'Episodes per page.',
    }),
    after: Type.Optional(Type.String({ maxLength: 64, description: 'The `next` of the page before.' })),
  },
  { additionalProperties: false },
);
export type EpisodesQuery = Static<typeof EpisodesQuerySchema>;

export const EpisodePathSchema = Type.Object({
  id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'Id of an episode.' }),
});

const EpisodeFields = {
  id: Type.Integer(),
  device_id: Type.String(),
  display_name: nullable<string>('string', 'Name of the device for people.'),
  site: nullable<string>('string', 'Site of the device.'),
  state: Type.Enum([...EPISODE_STATES]),
  start: Type.String({ description: 'Since when something was wrong.' }),
  end: nullable<string>('string', 'Until when; null: it goes on.'),
  last: Type.String({ description: 'The last moment at which it was seen.' }),
  found: Type.String({ description: 'When there was enough of it to say so.' }),
  seconds: Type.Number({ description: 'From its start to the last moment at which it was seen.' }),
  peak_score: nullable<number>('number', 'Highest anomaly score of its records; null: no detector has judged them.'),
  peak: nullable<string>('string', 'When that was.'),
  cause: nullable<string>('string', 'What most of its anomalous records, else the diagnosis, are attributed to.'),
  anomalous_records: Type.Integer(),
  diagnosis: nullable<string>('string', 'The condition that fits best; null: no signature fits.'),
  diagnosis_label: nullable<string>('string', 'Its name for people.'),
  confidence: Type.Number({ description: '0 … 1.' }),
  acknowledged_at: nullable<string>('string', 'When somebody said to have seen it.'),
  acknowledged_by: nullable<string>('string', 'Who.'),
  closed_at: nullable<string>('string', 'When somebody said that it is dealt with.'),
  closed_by: nullable<string>('string', 'Who.'),
  notes: Type.Integer({ description: 'How many there are.' }),
};

export const EpisodeSchema = Type.Object(EpisodeFields);
export type EpisodeShown = Static<typeof EpisodeSchema>;

export const EpisodeListSchema = Type.Object({
  as_of: Type.String({ description: 'Clock of the server at this answer.' }),
  episodes: Type.Array(EpisodeSchema, { description: 'Those that began last come first.' }),
  next: nullable<string>('string', 'To be given as `after` for the next page; null: this is the last one.'),
});
export type EpisodeList = Static<typeof EpisodeListSchema>;

const Words = (description: string) => Type.Array(Type.String(), { description });

export const EpisodeDetailSchema = Type.Object({
  as_of: Type.String({ description: 'Clock of the server at this answer.' }),
  episode: Type.Object({
    ...EpisodeFields,
    evidence: Type.Object({
      for: Words('What is as the condition would have it.'),
      against: Words('What is not.'),
      missing: Words('What could have told, were there such an instrument.'),
    }),
    alternatives: Type.Array(
      Type.Object({ diagnosis: Type.String(), label: Type.String(), confidence: Type.Number() }),
      { description: 'Other conditions that fit somewhat, the likeliest first.' },
    ),
    advice: nullable<string>('string', 'What to look at first.'),
    detector: Type.String({ description: 'That judged its records.' }),
    judged_by: nullable<string>(
      'string',
      'Version of the program, and hash of the signatures and parameters, that judged it last: under another one it may be judged otherwise; null: from before that was noted.',
    ),
    history: Type.Array(Type.Object({ at: Type.String(), actor: Type.String(), text: Type.String() }), {
      description: 'Its notes, oldest first; the last 500.',
    }),
  }),
});
export type EpisodeDetail = Static<typeof EpisodeDetailSchema>;

const NoteText = (description: string) => Type.String({ minLength: 1, maxLength: MAX_NOTE_LENGTH, description });

export const ActSchema = Type.Object(
  { note: Type.Optional(NoteText('Kept as a note beside it.')) },
  { additionalProperties: false },
);
export type Act = Static<typeof ActSchema>;

export const NoteSchema = Type.Object(
  { text: NoteText('What somebody should know who looks at it later.') },
  { additionalProperties: false },
);
export type Note = Static<typeof NoteSchema>;
