/** `GET /v1/ledger` and `GET /v1/ledger/verification`: where the records went. */
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import { AnswerCache } from './answer-cache.js';
import { ErrorSchema } from './api-schemas.js';
import type { ConsoleContext } from './console-context.js';
import { ledgerHours, type LedgerQuestion, readLedger } from './ledger-query.js';
import {
  type Ledger,
  LEDGER_GROUPS,
  LedgerSchema,
  type LedgerVerification,
  LedgerVerificationSchema,
} from './ledger-schemas.js';
import { verifyLedger } from './ledger-verification.js';
import { invalidParameter } from './request-error.js';
import { readInstant } from './timestamps.js';

const LEDGER_MAX_AGE_MS = 3000;
/** It reads the whole table: who asks again soon gets the same answer. */
const VERIFICATION_MAX_AGE_MS = 30_000;

const RANGE = {
  device: Type.Optional(Type.String({ maxLength: 256, description: 'Of this device; empty: of no known device.' })),
  since: Type.Optional(Type.String({ description: 'Arrived from then on; default a day before the end.' })),
  until: Type.Optional(Type.String({ description: 'Arrived before then; default now.' })),
};
const LedgerQuery = Type.Object(
  {
    ...RANGE,
    site: Type.Optional(Type.String({ maxLength: 256, description: 'Of the devices of this site.' })),
    by: Type.Enum([...LEDGER_GROUPS], { default: 'device', description: 'One row for each of these.' }),
    limit: Type.Integer({ default: 1000, minimum: 1, maximum: 10_000, description: 'Most rows.' }),
  },
  { additionalProperties: false },
);
const VerificationQuery = Type.Object(RANGE, { additionalProperties: false });

function hoursOf(query: Static<typeof VerificationQuery>): Pick<LedgerQuestion, 'sinceUs' | 'untilUs'> {
  const read = (name: 'since' | 'until'): number | undefined =>
    query[name] === undefined ? undefined : readInstant(name, query[name]);
  const hours = ledgerHours(read('since'), read('until'), Date.now() * 1000);
  if (hours.sinceUs >= hours.untilUs) throw invalidParameter('until', 'until is not later than since; swap them.');
  return hours;
}

export function ledgerRoutes(api: FastifyInstance, { database }: ConsoleContext): void {
  const ledgers = new AnswerCache<Ledger>({ maxAgeMs: LEDGER_MAX_AGE_MS });
  api.get<{ Querystring: Static<typeof LedgerQuery> }>(
    '/v1/ledger',
    {
      config: { scope: 'read', keepsToFleet: true },
      schema: {
        summary: 'What became of the records that came, by device, hour or day of arrival',
        tags: ['read'],
        querystring: LedgerQuery,
        response: { 200: LedgerSchema, 400: ErrorSchema, 503: ErrorSchema },
      },
    },
    ({ caller: { fleet }, query }): Promise<Ledger> => {
      const { device: deviceId, site, by, limit } = query;
      const question = { deviceId, site, by, limit, ...hoursOf(query), fleet };
      return ledgers.get(JSON.stringify(question), () => readLedger(database, question));
    },
  );

  const verifications = new AnswerCache<LedgerVerification>({ maxAgeMs: VERIFICATION_MAX_AGE_MS });
  api.get<{ Querystring: Static<typeof VerificationQuery> }>(
    '/v1/ledger/verification',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Whether the rows stored, as the ledger says, are in the table',
        description: 'Reads all chunks of the table, one after the other: minutes for a large one.',
        tags: ['read'],
        querystring: VerificationQuery,
        response: { 200: LedgerVerificationSchema, 400: ErrorSchema, 503: ErrorSchema },
      },
    },
    ({ query }): Promise<LedgerVerification> => {
      const question = { deviceId: query.device, ...hoursOf(query) };
      return verifications.get(JSON.stringify(question), () => verifyLedger(database, question));
    },
  );
}
