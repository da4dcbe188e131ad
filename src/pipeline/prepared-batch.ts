/** Messages, read and on their way into the database. */
import { setImmediate } from 'node:timers/promises';
import type { FailureHeaders } from '../queue/queue.js';
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import { reject, type Rejection } from '../telemetry/rejection.js';
import type { DeviceTable } from './device-table.js';
import type { Message } from './batch-former.js';
import { originalRecord } from './original-record.js';
import { readBody, type ParsedBody } from './read-body.js';
import { NOT_PLAIN, PlainReader } from './read-plain.js';
import { isRejection, MAX_DEVICE_ID_LENGTH, readRecord, type RecordContext } from './read-record.js';

/** A record (or a whole message) that cannot be stored, with its original bytes. */
export interface RefusedRecord {
  readonly original: Uint8Array;
  readonly rejection: Rejection;
  readonly failure: FailureHeaders;
  /** How many records it stands for: more than one only for a message that cannot be read at all. */
  readonly records: number;
  /** When its message was received, epoch microseconds; null where nobody said. */
  readonly receivedUs: number | null;
}

const contextOf = (message: Message, nowUs: number): RecordContext => ({
  receivedUs: message.headers.receivedUs ?? nowUs,
  sourceSystem: 'scada',
});

/** Reads a message's body; a rejection when nothing in it can be read. */
export function readMessage(message: Message, nowUs: number): ParsedBody | Rejection {
  const parsed = readBody(message.body, message.headers.contentType, contextOf(message, nowUs));
  // It was counted as one record where nobody knew how many it has: that one has to become something.
  const isEmpty = message.headers.records === null && !isRejection(parsed) && parsed.records.length === 0;
  return isEmpty ? reject('no_records', '', 'the message has no records') : parsed;
}

/** As the record names it, cut to what a device id may have: characters, which may be two UTF-16 units each. */
function deviceOf(record: unknown, context: RecordContext): string | null {
  const id =
    typeof record === 'object' && record !== null && 'device_id' in record ? record.device_id : context.deviceId;
  if (typeof id !== 'string' || !id.isWellFormed()) return null;
  return id.length <= MAX_DEVICE_ID_LENGTH ? id : firstCharacters(id, MAX_DEVICE_ID_LENGTH);
}

const firstCharacters = (text: string, count: number): string =>
  Array.from(text.slice(0, 2 * count))
    .slice(0, count)
    .join('');

/** The refusal of record `index` of a message. */
export function refuse(message: Message, parsed: ParsedBody, index: number, rejection: Rejection): RefusedRecord {
  const deviceId = deviceOf(parsed.records[index], parsed.context);
  return {
    original: originalRecord(message.body, parsed, index),
    rejection,
    failure: { code: rejection.code, deviceId },
    records: 1,
    receivedUs: message.headers.receivedUs,
  };
}

/** Plain messages are read without taking them apart. */
const plainReader = new PlainReader();

/**
 * Reads messages into the rows of `batch` and gives every row its device number; devices that the table does not know
 * are added to it. Message by message, so that what JSON.parse makes of one is garbage before the next is read.
 * @param from the first message to read, and `to`, the one behind the last
 * @returns what could not be read
 */
export function fillBatch(
  messages: readonly Message[],
  nowUs: number,
  batch: ReadingBatch,
  devices: DeviceTable,
  from = 0,
  to = messages.length,
): RefusedRecord[] {
  const refused: RefusedRecord[] = [];
  for (let delivery = from; delivery < to; delivery++) {
    const message = messages[delivery] as Message;
    if (fillFromPlain(message, delivery, nowUs, batch, devices)) continue;
    const parsed = readMessage(message, nowUs);
    if (isRejection(parsed)) refused.push(refuseMessage(message, parsed));
    else fillFrom(message, parsed, delivery, batch, devices, refused);
  }
  return refused;
}

/** Records that are read at a stretch: about a millisecond. */
const SLICE_RECORDS = 1000;

/**
 * As `fillBatch`, and between two slices sockets are served: a database that has finished its rows does not wait for
 * the next ones until a whole batch is read.
 */
export async function fillBatchInSlices(
  messages: readonly Message[],
  nowUs: number,
  batch: ReadingBatch,
  devices: DeviceTable,
): Promise<RefusedRecord[]> {
  const refused: RefusedRecord[] = [];
  let from = 0;
  let records = 0;
  for (let to = 1; to <= messages.length; to++) {
    records += messages[to - 1]?.headers.records ?? 1;
    if (records < SLICE_RECORDS && to < messages.length) continue;
    for (const one of fillBatch(messages, nowUs, batch, devices, from, to)) refused.push(one);
    from = to;
    records = 0;
    if (to < messages.length) await setImmediate();
  }
  return refused;
}

/** False where the message is not plain, or something in it is to be refused: then nothing of it is in the batch. */
function fillFromPlain(
  message: Message,
  delivery: number,
  nowUs: number,
  batch: ReadingBatch,
  devices: DeviceTable,
): boolean {
  const context = contextOf(message, nowUs);
  const records = plainReader.read(message.body, message.headers.contentType, context, batch);
  if (records === NOT_PLAIN) return false;
  const first = batch.length - records;
  for (let index = 0; index < records; index++) {
    const row = first + index;
    if (!numberDevice(batch, row, devices)) {
      batch.retract(records);
      return false;
    }
    batch.delivery[row] = delivery;
    batch.deliveryIndex[row] = index;
  }
  return true;
}

function fillFrom(
  message: Message,
  parsed: ParsedBody,
  delivery: number,
  batch: ReadingBatch,
  devices: DeviceTable,
  refused: RefusedRecord[],
): void {
  const { records, context } = parsed;
  batch.reserve(records.length);
  for (let index = 0; index < records.length; index++) {
    const rejection = readRecord(records[index], context, batch) ?? numberLast(batch, devices);
    if (rejection !== undefined) {
      refused.push(refuse(message, parsed, index, rejection));
      continue;
    }
    const row = batch.length - 1;
    batch.delivery[row] = delivery;
    batch.deliveryIndex[row] = index;
  }
}

const refuseMessage = (message: Message, rejection: Rejection): RefusedRecord => ({
  original: message.body,
  rejection,
  failure: { code: rejection.code, deviceId: null },
  records: message.headers.records ?? 1,
  receivedUs: message.headers.receivedUs,
});

/** The refusals of rows that the database did not take; their messages, in order, are read once more for it. */
export function refuseRows(
  messages: readonly Message[],
  nowUs: number,
  batch: ReadingBatch,
  rows: readonly { readonly row: number; readonly rejection: Rejection }[],
): RefusedRecord[] {
  let delivery = -1;
  let parsed: ParsedBody | Rejection | undefined;
  return rows.map(({ row, rejection }) => {
    if (batch.delivery[row] !== delivery) {
      delivery = batch.delivery[row] as number;
      parsed = readMessage(messages[delivery] as Message, nowUs);
    }
    return refuse(messages[delivery] as Message, parsed as ParsedBody, batch.deliveryIndex[row] as number, rejection);
  });
}

/** Gives the last row its device number, or takes the row back where there can be no further device. */
function numberLast(batch: ReadingBatch, devices: DeviceTable): Rejection | undefined {
  if (numberDevice(batch, batch.length - 1, devices)) return undefined;
  batch.retract();
  return reject(
    'too_many_devices',
    'device_id',
    `the limit of ${devices.maxDevices} devices is reached; raise pipeline.maxDevices`,
  );
}

/** False where there can be no further device. */
function numberDevice(batch: ReadingBatch, row: number, devices: DeviceTable): boolean {
  const number = devices.add(batch.deviceId[row] as string);
  if (number === undefined) return false;
  batch.device[row] = number;
  batch.deviceId[row] = devices.ids[number] as string; // the one that stays: the record's own is garbage then
  return true;
}
