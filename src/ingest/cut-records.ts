/** A body cut into messages: its records as the bytes that came, in the same form and with the defaults of their envelope. */
import type { ParsedBody } from '../pipeline/read-body.js';
import { isRejection, namedDevice } from '../pipeline/read-record.js';
import { recordSpans, type RecordSpans } from '../pipeline/record-spans.js';
import { partitionOf } from '../telemetry/partition.js';
import { reject, type Rejection } from '../telemetry/rejection.js';

export interface MessagePart {
  readonly body: Uint8Array;
  readonly records: number;
  /** Where all of them belong, if the queue has partitions. */
  readonly partition?: number | undefined;
}

/** Messages stay small, so that the batches that the pipeline forms of them stay near their size. */
export const MAX_MESSAGE_RECORDS = 1000;
export const MAX_MESSAGE_BYTES = 1_048_576;
/** Repeated in every message that a body is cut into. */
const MAX_ENVELOPE_BYTES = 16_384;

interface Wrapping {
  readonly before: Buffer;
  readonly between: Buffer;
  readonly after: Buffer;
}

/** What stands before, between and after the records of a message in the form of the body. */
function wrapping(parsed: ParsedBody): Wrapping | Rejection {
  const text = (before: string, between: string, after: string): Wrapping => ({
    before: Buffer.from(before),
    between: Buffer.from(between),
    after: Buffer.from(after),
  });
  if (parsed.form === 'array') return text('[', ',', ']');
  if (parsed.form !== 'envelope') return text('', '\n', '');
  const defaults = JSON.stringify(parsed.envelope ?? {});
  if (defaults.length > MAX_ENVELOPE_BYTES)
    return reject('too_large', '', `the fields beside records make ${defaults.length} characters; shorten them`);
  return text('{"records":[', ',', defaults === '{}' ? ']}' : `],${defaults.slice(1)}`);
}

/** What the cut needs to know beside the body. */
export interface CutOptions {
  /** Where the records stand, if that has been found out. */
  readonly spans?: RecordSpans | undefined;
  /** Records that do not go on. */
  readonly isLeftOut?: ((index: number) => boolean) | undefined;
  /** The partition of each record; undefined where the queue is one. */
  readonly places?: Uint8Array | undefined;
}

/**
 * The partition of every record of a body. Where nobody can tell the device the record belongs to the first one: it becomes
 * a dead letter there.
 */
export function placesOf({ records, context }: ParsedBody, partitions: number): Uint8Array {
  return Uint8Array.from(records, (record) => {
    const deviceId = namedDevice(record, context);
    return deviceId === null ? 0 : partitionOf(deviceId, partitions);
  });
}

/** The partition that all records share; undefined where they do not. */
export function sharedPlace(places: Uint8Array): number | undefined {
  return places.every((place) => place === places[0]) ? places[0] : undefined;
}

/** Messages within the bounds, each of one partition, in the order of the records. */
export function cutRecords(bytes: Buffer, parsed: ParsedBody, options: CutOptions = {}): MessagePart[] | Rejection {
  const { spans = recordSpans(bytes, parsed.form), isLeftOut, places } = options;
  const wrap = wrapping(parsed);
  if (isRejection(wrap)) return wrap;
  const messages: MessagePart[] = [];
  const open = new Map<number | undefined, OpenMessage>();
  const close = (partition: number | undefined, message: OpenMessage): void => {
    const body = Buffer.concat([wrap.before, ...message.pieces, wrap.after]);
    messages.push({ body, records: message.records, partition });
    open.delete(partition);
  };
  for (let index = 0; index < parsed.records.length; index++) {
    if (isLeftOut?.(index) === true) continue;
    const partition = places?.[index];
    const piece = bytes.subarray(spans[2 * index], spans[2 * index + 1]);
    let message = open.get(partition);
    if (message !== undefined && !hasRoomFor(message, piece)) {
      close(partition, message);
      message = undefined;
    }
    if (message === undefined) open.set(partition, (message = { pieces: [], records: 0, length: 0 }));
    if (message.records > 0) message.pieces.push(wrap.between);
    message.pieces.push(piece);
    message.records++;
    message.length += piece.length + wrap.between.length;
  }
  for (const [partition, message] of open) close(partition, message);
  return messages;
}

interface OpenMessage {
  readonly pieces: Buffer[];
  records: number;
  length: number;
}

const hasRoomFor = ({ records, length }: OpenMessage, piece: Buffer): boolean =>
  records < MAX_MESSAGE_RECORDS && length + piece.length <= MAX_MESSAGE_BYTES;
