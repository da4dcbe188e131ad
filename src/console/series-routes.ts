/** `GET /v1/devices/:id/series`. */
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import { channelIndex, CHANNEL_NAMES, type ChannelName } from '../telemetry/channels.js';
import { formatTimestamp, MICROS_PER_SECOND } from '../telemetry/timestamp.js';
import { ErrorSchema, type Series, SeriesSchema } from './api-schemas.js';
import type { ConsoleContext } from './console-context.js';
import { invalidParameter, notFound } from './request-error.js';
import { answerSeries } from './series-plan.js';
import type { SeriesRange } from './series-query.js';
import { nowRfc3339, readInstant } from './timestamps.js';

const DEFAULT_RANGE_US = 3600 * MICROS_PER_SECOND;
const MAX_POINTS = 5000;

const SeriesParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 128, description: 'device_id' }) });
const SeriesQuery = Type.Object(
  {
    from: Type.Optional(
      Type.String({
        maxLength: 64,
        description: 'RFC 3339 with offset, or epoch milliseconds; default an hour before `to`.',
      }),
    ),
    to: Type.Optional(
      Type.String({ maxLength: 64, description: 'RFC 3339 with offset, or epoch milliseconds; default now.' }),
    ),
    channels: Type.Optional(
      Type.String({ maxLength: 512, description: `Comma-separated, default all. Of: ${CHANNEL_NAMES.join(', ')}.` }),
    ),
    points: Type.Integer({
      default: 1000,
      minimum: 3,
      maximum: MAX_POINTS,
      description: 'Most points to answer with.',
    }),
  },
  { additionalProperties: false },
);

export function seriesRoutes(api: FastifyInstance, { database, levels }: ConsoleContext): void {
  api.get<{ Params: Static<typeof SeriesParams>; Querystring: Static<typeof SeriesQuery> }>(
    '/v1/devices/:id/series',
    {
      config: { scope: 'read', keepsToFleet: true },
      schema: {
        summary: 'Channels of a device over a range, from the readings or from the aggregate that suits it',
        description:
          'The finest level whose rows can be read at once answers, thinned to `points` with least and greatest kept. ' +
          'Where that level has no data in the range, another one that has answers; `source` says which.',
        tags: ['read'],
        params: SeriesParams,
        querystring: SeriesQuery,
        response: { 200: SeriesSchema, 400: ErrorSchema, 404: ErrorSchema, 503: ErrorSchema },
      },
    },
    async ({ caller: { fleet }, params: { id }, query }): Promise<Series> => {
      const range = readRange(id, query.from, query.to, Date.now() * 1000);
      const channels = readChannels(query.channels);
      const [known] = await database.query<{ site: string | null }>('SELECT site FROM devices WHERE device_id = $1', [
        id,
      ]);
      if (known === undefined || fleet?.covers(id, known.site) === false)
        throw notFound(`Device "${id}"`, 'GET /v1/devices lists those that are.');
      const answer = await answerSeries(database, await levels(), range, channels, query.points);
      return {
        device_id: id,
        as_of: nowRfc3339(),
        from: formatTimestamp(range.fromUs),
        to: formatTimestamp(range.toUs),
        source: answer.source,
        bucket_seconds: answer.bucketSeconds,
        truncated: answer.truncated,
        timestamps: answer.timestamps,
        channels: answer.channels,
        anomalies: answer.anomalies,
        samples: answer.samples,
      };
    },
  );
}

function readRange(deviceId: string, from: string | undefined, to: string | undefined, nowUs: number): SeriesRange {
  const toUs = to === undefined ? nowUs : readInstant('to', to);
  const fromUs = from === undefined ? toUs - DEFAULT_RANGE_US : readInstant('from', from);
  if (fromUs >= toUs) throw invalidParameter('from', 'from is not before to: swap them, or widen the range.');
  return { deviceId, fromUs, toUs };
}

function readChannels(text: string | undefined): readonly ChannelName[] {
  if (text === undefined || text === '') return CHANNEL_NAMES;
  const names = [...new Set(text.split(',').map((name) => name.trim()))];
  const unknown = names.find((name) => channelIndex(name) === undefined);
  if (unknown === undefined) return names as ChannelName[];
  throw invalidParameter('channels', `There is no channel "${unknown}". There are: ${CHANNEL_NAMES.join(', ')}.`);
}
