/** `POST /v1/telemetry`: records in, 202 once they are durable. */
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type { Events } from '../monitoring/events.js';
import type { BodyType } from '../pipeline/read-body.js';
import { isRejection } from '../pipeline/read-record.js';
import type { MessageHeaders, Queue } from '../queue/queue.js';
import type { Rejection } from '../telemetry/rejection.js';
import {
  acceptRecords,
  detectBodyType,
  type AcceptedRecords,
  type DeviceJudge,
  type IngestLimits,
} from './accept-records.js';
import type { Caller } from './caller.js';
import { AcceptedSchema, errors, NothingAcceptedSchema, TELEMETRY_CONTENT } from './api-schemas.js';
import { HttpError } from './http-error.js';
import type { DeviceSites } from './keys/device-sites.js';
import { FleetJudge } from './keys/fleet-judge.js';
import type { RateGuard } from './keys/rate-guard.js';

/** Keeps count of what is refused at once, by the device that the record names; '' where it names none. */
export interface RejectionLedger {
  rejected(deviceId: string, records: number, receivedUs: number): void;
}

export interface TelemetryRouteOptions {
  readonly queue: Queue;
  /** Of the queue; 0 or none: it is one. */
  readonly partitions?: number | undefined;
  readonly events: Events;
  readonly limits: IngestLimits;
  readonly guard: RateGuard;
  /** Where devices are; has to be there where keys are required. */
  readonly sites?: DeviceSites | undefined;
  readonly ledger?: RejectionLedger | undefined;
}

const SCHEMA_VERSION = 1;
const DEFAULT_SOURCE_SYSTEM = 'scada';

/** The bytes of a request and what kind they are. */
export function requestBytes(request: FastifyRequest): { bytes: Buffer; type: BodyType } {
  if (!Buffer.isBuffer(request.body) || request.body.length === 0)
    throw new HttpError(400, 'malformed_json', 'the body is empty; send a record, an array of records or NDJSON');
  const declared = /json$/i.test(mediaType(request)) && !/(ndjson|jsonl)$/i.test(mediaType(request));
  const type = detectBodyType(request.body, declared ? 'application/json' : 'application/x-ndjson');
  return { bytes: request.body, type };
}

const mediaType = (request: FastifyRequest): string =>
  (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim() ?? '';

/** What the queue is told about the messages of a request. */
export function messageHeaders(
  request: FastifyRequest,
  contentType: BodyType,
  records: number | null,
  receivedUs: number,
): MessageHeaders {
  return { schemaVersion: SCHEMA_VERSION, contentType, records, receivedUs, source: request.caller.actor };
}

export function telemetryRoute({
  queue,
  partitions,
  events,
  limits,
  guard,
  sites,
  ledger,
}: TelemetryRouteOptions): FastifyPluginAsync {
  const countRefused = ({ caller }: FastifyRequest, code: string): void => {
    events.emit('records_received', { accepted: 0, rejected: 1, codes: { [code]: 1 }, source: caller.actor });
    ledger?.rejected('', 1, Date.now() * 1000);
  };

  /** Keys without restrictions cost nothing a record. */
  const judgeOf = ({ actor, fleet }: Caller): FleetJudge | undefined => {
    if (fleet === undefined) return undefined;
    if (sites === undefined) throw new Error('a key is restricted, and there is nobody to say where devices are');
    return new FleetJudge(actor, fleet, sites);
  };

  async function receive(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const receivedUs = Date.now() * 1000;
    const { bytes, type } = requestBytes(request);
    const accept = (judge?: DeviceJudge): AcceptedRecords | Rejection =>
      acceptRecords(bytes, type, limits, { receivedUs, sourceSystem: DEFAULT_SOURCE_SYSTEM }, judge, partitions);
    const judge = judgeOf(request.caller);
    let result = accept(judge?.judge);
    if (judge?.needsLook === true) {
      // Only where a device is new to this process: the second time everything is known.
      await judge.lookUp();
      result = accept(judge.judge);
    }
    if (isRejection(result)) {
      if (result.code === 'too_large') throw new HttpError(413, result.code, result.message);
      countRefused(request, result.code);
      return reply.code(400).send(nothingAccepted(result));
    }
    if (result.messages.length > 0) {
      guard.takeRecords(request.caller, result.accepted);
      await queue.publish(
        result.messages.map(({ body, records, partition }) => ({
          body,
          headers: messageHeaders(request, type, records, receivedUs),
          partition,
        })),
      );
    }
    const { accepted, rejectedTotal, codes } = result;
    events.emit('records_received', { accepted, rejected: rejectedTotal, codes, source: request.caller.actor });
    for (const [deviceId, records] of result.rejectedDevices) ledger?.rejected(deviceId, records, receivedUs);
    return accepted === 0 ? reply.code(400).send(noneAccepted(result)) : reply.code(202).send(answer(result));
  }

  return async (server) => {
    server.post(
      '/v1/telemetry',
      {
        config: { rawBody: true, scope: 'write', keepsToFleet: true },
        // Judged record by record, with reasons; the schema is for the document.
        validatorCompiler: () => () => true,
        schema: {
          operationId: 'ingestTelemetry',
          summary: 'Send telemetry',
          description:
            'One record, an array, an envelope with defaults, or NDJSON; Content-Encoding: gzip is taken. ' +
            'Good records of a request are accepted whatever is wrong with others.',
          tags: ['ingest'],
          body: { content: TELEMETRY_CONTENT },
          response: { 202: AcceptedSchema, 400: NothingAcceptedSchema, ...errors(403, 413, 415, 500, 503) },
        },
        // A body that is refused before it is read counts as one record.
        onError: async (request, _reply, error) => {
          if (error instanceof HttpError && (error.statusCode === 400 || error.statusCode === 413))
            countRefused(request, error.code);
        },
      },
      receive,
    );
  };
}

const answer = ({ accepted, rejected, rejectedTotal }: AcceptedRecords): object => ({
  accepted,
  rejected,
  ...(rejectedTotal > rejected.length ? { rejected_total: rejectedTotal } : {}),
});

function noneAccepted(result: AcceptedRecords): object {
  const [first] = result.rejected;
  if (first === undefined) {
    const message = 'the request has no records; send at least one';
    return { error: { code: 'no_records', message }, ...answer(result) };
  }
  const message = `none of the ${result.rejectedTotal} records is acceptable; the first: ${first.message}`;
  return { error: { code: first.code, message }, ...answer(result) };
}

function nothingAccepted({ code, field, message }: Rejection): object {
  return { error: { code, message }, accepted: 0, rejected: [{ index: 0, field, code, message }] };
}
