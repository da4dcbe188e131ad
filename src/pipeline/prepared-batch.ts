/** Messages, read and on their way into the database. */
import type { FailureHeaders } from '../queue/queue.js';
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import { reject, type Rejection } from '../telemetry/rejection.js';
import type { DeviceTable } from './device-table.js';
import type { Message } from './batch-former.js';
import { originalRecord } from './original-record.js';
import { readBody, type ParsedBody } from './read-body.js';
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

/**
 * Reads messages into the rows of `batch` and gives every row its device number; devices that the table does not know
 * are added to it. Message by message, so that what JSON.parse makes of one is garbage before the next is read.
 * @returns what could not be read
 */
export function fillBatch(
  messages: readonly Message[],
  nowUs: number,
  batch: ReadingBatch,
  devices: DeviceTable,
): RefusedRecord[] {
  const refused: RefusedRecord[] = [];
  for (let delivery = 0; delivery < messages.length; delivery++) {
    const message = messages[delivery] as Message;
    const parsed = readMessage(message, nowUs);
    if (isRejection(parsed)) refused.push(refuseMessage(message, parsed));
    else fillFrom(message, parsed, delivery, batch, devices, refused);
  }
  return refused;
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
    const rejection = readRecord(records[index], context, batch) ?? numberDevice(batch, devices);
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
function numberDevice(batch: ReadingBatch, devices: DeviceTable): Rejection | undefined {
  const row = batch.length - 1;
  const number = devices.add(batch.deviceId[row] as string);
  if (number === undefined) {
    batch.retract();
    return reject(
      'too_many_devices',
      'device_id',
      `the limit of ${devices.maxDevices} devices is reached; raise pipeline.maxDevices`,
    );
  }
  batch.device[row] = number;
  batch.deviceId[row] = devices.ids[number] as string; // the one that stays: the record's own is garbage then
  return undefined;
}
