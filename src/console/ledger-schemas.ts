/** The shapes of the loss ledger: what became of the records that came, by device, hour or day of arrival. */
import Type, { type Static } from 'typebox';

const count = (description: string) => Type.Integer({ description });
const instant = (description: string) => Type.Unsafe<string | null>({ type: ['string', 'null'], description });

const COUNTS = {
  received: count('All of them: the sum of the five that follow.'),
  stored: count('New rows.'),
  merged: count('Channels filled in of rows that were there.'),
  duplicate: count('Nothing new in them.'),
  dead_lettered: count('Accepted and could not be stored; the dead letters say why.'),
  rejected: count('Refused at once; the sender was told why.'),
};

export const LEDGER_GROUPS = ['device', 'hour', 'day'] as const;
export type LedgerGroup = (typeof LEDGER_GROUPS)[number];

const LedgerRowSchema = Type.Object({
  key: Type.String({
    description: 'The device_id ("" = records of no known device), or the start of the hour or day (UTC).',
  }),
  ...COUNTS,
  whole_day: Type.Boolean({
    description:
      'Whether the row stands for a day: of what arrived more than 35 days ago, also when asked for by hour.',
  }),
  first_at: instant('Earliest time of the records themselves; null where none could be read.'),
  last_at: instant('Latest time of the records themselves.'),
});

export const LedgerSchema = Type.Object({
  as_of: Type.String({ description: 'Clock of the server; counts of the last ten seconds may be missing.' }),
  since: Type.String({ description: 'Records that arrived from here on …' }),
  until: Type.String({ description: '… and before this. Whole hours.' }),
  by: Type.Enum([...LEDGER_GROUPS]),
  total: count('Rows, beyond this answer too.'),
  sum: Type.Object(COUNTS, { description: 'Over all rows, beyond this answer too.' }),
  rows: Type.Array(LedgerRowSchema, { description: 'By device: most dead-lettered and rejected first. Else in time.' }),
});
export type Ledger = Static<typeof LedgerSchema>;

export const LedgerVerificationSchema = Type.Object({
  as_of: Type.String(),
  since: Type.String(),
  until: Type.String(),
  devices: count('Devices that were compared.'),
  counted: count('Rows written in this time, as the ledger says.'),
  found: count('Rows in the table that were written in this time.'),
  differences: Type.Array(
    Type.Object({
      device_id: Type.String(),
      counted: count('Rows written, as the ledger says.'),
      found: count('Rows in the table.'),
    }),
    { description: 'Devices for which the two differ, the greatest difference first; at most 1000.' },
  ),
});
export type LedgerVerification = Static<typeof LedgerVerificationSchema>;
