/** Dead letters as they travel in the queue `failed`: a record that could not be stored, with the reason. */
import { isUtf8 } from 'node:buffer';
import { formatTimestamp } from '../telemetry/timestamp.js';
import type { DeadLetterBody, OutgoingMessage } from './queue.js';

/** What is known of a record that could not be stored. */
export interface DeadLetter {
  /** The bytes of the record as received, whatever they are. */
  readonly original: Uint8Array;
  /** A rejection code. */
  readonly code: string;
  readonly deviceId: string | null;
  /** Why, in words for a person. */
  readonly error: string;
  /** When it was given up, epoch microseconds. */
  readonly timestampUs: number;
}

/** The message for the queue `failed`. Bytes that are not UTF-8 travel in base64, all others as text. */
export function encodeDeadLetter({ original, code, deviceId, error, timestampUs }: DeadLetter): OutgoingMessage {
  const bytes = Buffer.from(original.buffer, original.byteOffset, original.byteLength);
  const letter: DeadLetterBody = {
    ...(isUtf8(bytes)
      ? { original_message: bytes.toString('utf8') }
      : { original_message: bytes.toString('base64'), encoding: 'base64' }),
    error,
    timestamp: formatTimestamp(timestampUs),
  };
  return {
    body: Buffer.from(JSON.stringify(letter)),
    headers: {
      schemaVersion: 1,
      contentType: 'application/json',
      records: 1,
      receivedUs: timestampUs,
      source: 'pipeline',
      failure: { code, deviceId },
    },
  };
}

/** What a dead letter says, its original bytes restored; undefined when the body is not a dead letter at all. */
export function decodeDeadLetter(
  body: Uint8Array,
): { readonly original: Buffer; readonly error: string; readonly timestamp: string } | undefined {
  let letter: unknown;
  try {
    letter = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined; // a third party's message: the caller keeps its bytes
    throw error;
  }
  if (!isDeadLetterBody(letter)) return undefined;
  const original = Buffer.from(letter.original_message, letter.encoding ?? 'utf8');
  return { original, error: letter.error, timestamp: letter.timestamp };
}

function isDeadLetterBody(value: unknown): value is DeadLetterBody {
  if (typeof value !== 'object' || value === null) return false;
  const { original_message, error, timestamp, encoding } = value as Record<keyof DeadLetterBody, unknown>;
  const known = encoding === undefined || encoding === 'base64';
  return known && [original_message, error, timestamp].every((field) => typeof field === 'string');
}
