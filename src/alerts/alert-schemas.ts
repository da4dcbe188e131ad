/** Alerts, maintenance windows and what a test answered, as the API and the command line show them. Instants are RFC 3339. */
import Type, { type Static } from 'typebox';
import { nullable } from '../config/nullable.js';
import { RULE_NAMES } from './alert.js';

export const AlertSchema = Type.Object({
  id: Type.Integer(),
  fingerprint: Type.String({ description: 'The same for as long as it is the same trouble, and when it comes again.' }),
  rule: Type.String(),
  severity: Type.Enum(['warning', 'critical']),
  state: Type.Enum(['pending', 'firing', 'resolved'], {
    description: 'pending: the case, and not yet for the delay of its rule.',
  }),
  labels: Type.Record(Type.String(), Type.String()),
  summary: Type.String({ description: 'One sentence for a person.' }),
  detail: Type.Unsafe<Record<string, string | number | null>>({ type: 'object' }),
  seen_at: Type.String({ description: 'When it was first the case.' }),
  raised_at: nullable<string>('string', 'When it became an alert.'),
  ended_at: nullable<string>('string', 'When it had passed.'),
  told: Type.Enum(['nothing', 'firing', 'resolved'], { description: 'What messages have said of it.' }),
  silence_id: Type.Unsafe<number | null>({
    type: ['integer', 'null'],
    description: 'The maintenance window that last kept it from being told.',
  }),
  attempts: Type.Integer({ description: 'To deliver messages about it, of all channels.' }),
  delivered: Type.Integer({ description: 'Messages about it that were taken.' }),
});
export type ShownAlert = Static<typeof AlertSchema>;

export const AlertListSchema = Type.Object({
  as_of: Type.String(),
  alerts: Type.Array(AlertSchema),
});
export type AlertList = Static<typeof AlertListSchema>;

export const SilenceSchema = Type.Object({
  id: Type.Integer(),
  device: nullable<string>('string', 'null: every one.'),
  site: nullable<string>('string', 'null: every one.'),
  rule: nullable<string>('string', 'null: every one.'),
  from: Type.String(),
  to: Type.String(),
  reason: Type.String(),
  created_at: Type.String(),
  created_by: Type.String({ description: 'Who asked for it.' }),
  lifted_at: nullable<string>('string', 'When somebody ended it; null: nobody has.'),
});
export type Silence = Static<typeof SilenceSchema>;

export const SilenceListSchema = Type.Object({ silences: Type.Array(SilenceSchema) });

export const NewSilenceSchema = Type.Object(
  {
    device: Type.Optional(
      Type.String({ minLength: 1, maxLength: 128, description: 'Of this device; absent: every one.' }),
    ),
    site: Type.Optional(Type.String({ maxLength: 256, description: 'Of this site; absent: every one.' })),
    rule: Type.Optional(Type.Enum([...RULE_NAMES], { description: 'Of this rule; absent: every one.' })),
    from: Type.Optional(Type.String({ description: 'RFC 3339 with offset; absent: now.' })),
    to: Type.String({ description: 'RFC 3339 with offset; not included.', examples: ['2026-11-08T00:00:00Z'] }),
    reason: Type.String({
      minLength: 1,
      maxLength: 1000,
      pattern: '^[^\\u0000]*$',
      description: 'For whoever wonders about the silence.',
    }),
  },
  { additionalProperties: false, description: 'A maintenance window: alerts in it are recorded and not told.' },
);
export type NewSilenceRequest = Static<typeof NewSilenceSchema>;

export const SilencePathSchema = Type.Object({
  id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'Id of the maintenance window.' }),
});

export const TestAnswersSchema = Type.Object({
  channels: Type.Array(
    Type.Object({
      channel: Type.String(),
      taken: Type.Boolean(),
      answer: Type.String({ description: 'What the other side said.' }),
    }),
  ),
});
export type TestAnswers = Static<typeof TestAnswersSchema>;
