/** Messages, read and on their way into the database. */
import type { FailureHeaders } from '../queue/queue.js';
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import { reject, type Rejection } from '../telemetry/rejection.js';
import type { DeviceTable } from './device-table.js';
import type { Message } from './batch-former.js';
import { originalRecord } from './original-record.js';
import { readBody, type ParsedBody } from './read-body.js';
import { isRejection, readRecord, type RecordContext } from './read-record.js';

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
  return readBody(message.body, message.headers.contentType, contextOf(message, nowUs));
}

function deviceOf(record: unknown, context: RecordContext): string | null {
  const id =
    typeof record === 'object' && record !== null && 'device_id' in record ? record.device_id : context.deviceId;
  return typeof id === 'string' && id.isWellFormed() ? id.slice(0, 128) : null;
}

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
 * Reads messages into the rows of `batch`, which has room for all of them, and gives every row its device number;
 * devices that the table does not know are added to it.
 * @param bodies what `readMessage` made of each message
 * @returns what could not be read
 */
export function fillBatch(
  messages: readonly Message[],
  bodies: readonly (ParsedBody | Rejection)[],
  batch: ReadingBatch,
  devices: DeviceTable,
): RefusedRecord[] {
  const refused: RefusedRecord[] = [];
  for (let delivery = 0; delivery < messages.length; delivery++) {
    const message = messages[delivery] as Message;
    const parsed = bodies[delivery] as ParsedBody | Rejection;
    if (isRejection(parsed)) {
      const records = message.headers.records ?? 1;
      refused.push({
        original: message.body,
        rejection: parsed,
        failure: { code: parsed.code, deviceId: null },
        records,
        receivedUs: message.headers.receivedUs,
      });
      continue;
    }
    for (let index = 0; index < parsed.records.length; index++) {
      const rejection = readRecord(parsed.records[index], parsed.context, batch) ?? numberDevice(batch, devices);
      if (rejection !== undefined) {
        refused.push(refuse(message, parsed, index, rejection));
        continue;
      }
      const row = batch.length - 1;
      batch.delivery[row] = delivery;
      batch.deliveryIndex[row] = index;
    }
  }
  return refused;
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
  return undefined;
}
