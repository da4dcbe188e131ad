/** Messages as they travel through RabbitMQ: our headers as AMQP properties, and third parties' messages read as ours. */
import type { ConsumeMessage, Options } from 'amqplib';
import { gunzipSync } from 'node:zlib';
import type { FailureHeaders, MessageHeaders, OutgoingMessage } from './queue.js';

const APP_ID = 'downhole';
/** A compressed body of a third party may not become longer than this. */
const MAX_INFLATED_BYTES = 16 * 1024 * 1024;

/** @param messageId how the publisher knows its message again */
export function toProperties(headers: MessageHeaders, messageId: string): Options.Publish {
  const { schemaVersion, contentType, records, receivedUs, source, failure } = headers;
  return {
    persistent: true,
    mandatory: true,
    contentType,
    messageId,
    appId: APP_ID,
    headers: {
      schema_version: schemaVersion,
      ...(records === null ? {} : { records }),
      ...(receivedUs === null ? {} : { received_us: receivedUs }),
      source,
      ...(failure === undefined ? {} : { failure_code: failure.code }),
      ...(typeof failure?.deviceId === 'string' ? { failure_device_id: failure.deviceId } : {}),
    },
  };
}

/** A delivery as a message of ours; what a third party did not say gets its default. */
export function fromDelivery({ properties, content }: ConsumeMessage): OutgoingMessage {
  const given: Record<string, unknown> = properties.headers ?? {};
  const failure = failureOf(given);
  return {
    body: inflated(content, properties.contentEncoding),
    headers: {
      schemaVersion: count(given['schema_version']) ?? 1,
      contentType: contentTypeOf(properties.contentType),
      // Whatever others mean by it: a wrong count would be wrong in the books for ever.
      records: properties.appId === APP_ID ? count(given['records']) : null,
      receivedUs: count(given['received_us']),
      source: text(given['source']) ?? text(properties.appId) ?? 'amqp',
      ...(failure === undefined ? {} : { failure }),
    },
  };
}

/** How the publisher called the message. */
export function messageIdOf({ properties }: Pick<ConsumeMessage, 'properties'>): string | undefined {
  return text(properties.messageId);
}

function failureOf(given: Record<string, unknown>): FailureHeaders | undefined {
  const code = text(given['failure_code']);
  return code === undefined ? brokerFailureOf(given) : { code, deviceId: text(given['failure_device_id']) ?? null };
}

/**
 * Of a message that RabbitMQ itself gave up (a policy with a length or time limit, a consumer that refused it, a
 * delivery limit): where and why, as it writes into the headers. The body is the message as it was published.
 */
function brokerFailureOf(given: Record<string, unknown>): FailureHeaders | undefined {
  const reason = text(given['x-first-death-reason']);
  if (reason === undefined) return undefined;
  const queue = text(given['x-first-death-queue']) ?? 'a queue';
  const detail = `RabbitMQ gave the message up in ${queue} (${reason}); it is kept as it was published`;
  return { code: `broker_${reason}`, deviceId: null, detail };
}

function contentTypeOf(value: unknown): MessageHeaders['contentType'] {
  return /(ndjson|jsonl)/i.test(text(value) ?? '') ? 'application/x-ndjson' : 'application/json';
}

/** A body that does not inflate stays as it came: reading it fails, and it becomes a dead letter with these bytes. */
function inflated(content: Buffer, encoding: unknown): Buffer {
  if (!/^(x-)?gzip$/i.test(text(encoding) ?? '')) return content;
  try {
    return gunzipSync(content, { maxOutputLength: MAX_INFLATED_BYTES });
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).code !== 'string') throw error;
    return content;
  }
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
const count = (value: unknown): number | null =>
  Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : null;
