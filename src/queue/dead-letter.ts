/** Dead letters as they travel in the queue `failed`: a record that could not be stored, with the reason. */
import { isUtf8 } from 'node:buffer';
import { memberSpan } from '../telemetry/json-bytes.js';
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
  /** When the message that it came in was received, epoch microseconds; null where nobody said. */
  readonly receivedUs: number | null;
}

/**
 * The message for the queue `failed`. Bytes that are not UTF-8 travel in base64, all others as text. Its header tells the
 * reception of the message, by which a letter that is published twice after a crash is known to be the same.
 */
export function encodeDeadLetter(letter: DeadLetter): OutgoingMessage {
  const { original, code, deviceId, error, timestampUs, receivedUs } = letter;
  const bytes = Buffer.from(original.buffer, original.byteOffset, original.byteLength);
  const body: DeadLetterBody = {
    ...(isUtf8(bytes)
      ? { original_message: bytes.toString('utf8') }
      : { original_message: bytes.toString('base64'), encoding: 'base64' }),
    error,
    timestamp: formatTimestamp(timestampUs),
  };
  return {
    body: Buffer.from(JSON.stringify(body)),
    headers: {
      schemaVersion: 1,
      contentType: 'application/json',
      records: 1,
      receivedUs: receivedUs ?? timestampUs,
      source: 'pipeline',
      failure: { code, deviceId },
    },
  };
}

/** What a dead letter says. */
interface ReadDeadLetter {
  readonly original: Buffer;
  readonly error: string;
  /** As it stands there, whatever it is. */
  readonly timestamp: string | undefined;
}

/**
 * What a dead letter says, its original bytes restored; undefined when the body is not a dead letter at all.
 * Other programs put the record itself into `original_message`, and not its text: then it is cut out of the bytes.
 */
export function decodeDeadLetter(body: Uint8Array): ReadDeadLetter | undefined {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  let letter: unknown;
  try {
    letter = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined; // a third party's message: the caller keeps its bytes
    throw error;
  }
  if (typeof letter !== 'object' || letter === null) return undefined;
  const { original_message: given, error, timestamp, encoding } = letter as Record<keyof DeadLetterBody, unknown>;
  if (typeof error !== 'string' || (encoding !== undefined && encoding !== 'base64')) return undefined;
  const original = originalOf(bytes, given, encoding ?? 'utf8');
  return original && { original, error, timestamp: typeof timestamp === 'string' ? timestamp : undefined };
}

function originalOf(bytes: Buffer, given: unknown, encoding: 'utf8' | 'base64'): Buffer | undefined {
  if (typeof given === 'string') return Buffer.from(given, encoding);
  if (typeof given !== 'object' || given === null || encoding === 'base64') return undefined;
  const span = memberSpan(bytes, 'original_message');
  return span && bytes.subarray(...span);
}
