/**
 * A received body → the messages to publish and what is refused, record by record. Pure: nothing is sent from here.
 *
 * A body whose records are all good goes on as the bytes that came; otherwise, and beyond the size of a message, the
 * good records are cut out of it, in the same form and with the defaults of their envelope.
 */
import { readBody, type BodyType } from '../pipeline/read-body.js';
import { NOT_PLAIN, PlainReader } from '../pipeline/read-plain.js';
import { isRejection, Malformed, namedDevice, readRecord, type RecordContext } from '../pipeline/read-record.js';
import { partitionOf } from '../telemetry/partition.js';
import { ReadingBatch } from '../telemetry/reading-batch.js';
import { reject, type Rejection } from '../telemetry/rejection.js';
import { countLines, countOpeners, scanBody } from './body-scan.js';
import {
  cutRecords,
  MAX_MESSAGE_BYTES,
  MAX_MESSAGE_RECORDS,
  placesOf,
  sharedPlace,
  type MessagePart,
} from './cut-records.js';
import { recordSpans, type RecordSpans } from '../pipeline/record-spans.js';

export interface IngestLimits {
  readonly maxRecordsPerRequest: number;
  /** Levels of a record. */
  readonly maxDepth: number;
}

export interface RejectedRecord extends Rejection {
  /** Position of the record in the request, from 0. */
  readonly index: number;
}

export interface AcceptedRecords {
  readonly messages: readonly MessagePart[];
  readonly accepted: number;
  /** The first of them, up to MAX_LISTED_REJECTIONS. */
  readonly rejected: readonly RejectedRecord[];
  readonly rejectedTotal: number;
  /** Rejections by code. */
  readonly codes: Readonly<Record<string, number>>;
  /** Rejections by the device that the record names; '' where it names none. */
  readonly rejectedDevices: ReadonlyMap<string, number>;
}

/** Why the sender may not send records of a device; undefined when it may. */
export type DeviceJudge = (deviceId: string) => Rejection | undefined;

/** An answer lists so many rejections and counts the rest: it must not outgrow the request. */
const MAX_LISTED_REJECTIONS = 1000;
const MAX_LISTED_FIELD_LENGTH = 128;
/** Deeper than this nothing is parsed: a tower of brackets takes many times its size in memory. */
const MAX_PARSED_DEPTH = 100_000;
/** Lines, blank ones too, up to which NDJSON is not looked at before it is parsed. */
const MAX_LINES_UNSCANNED = 2000;

/** Whether the bytes are JSON or, whatever was declared, one JSON record a line. */
export function detectBodyType(bytes: Buffer, declared: BodyType): BodyType {
  if (declared === 'application/x-ndjson') return declared;
  const newline = bytes.indexOf(0x0a);
  // Only a compact record ends its line with a brace and has something after it.
  if (newline < 2 || newline > MAX_MESSAGE_BYTES) return declared;
  const line = bytes.toString('utf8', 0, newline).trim();
  if (!line.startsWith('{') || !line.endsWith('}') || !isJson(line)) return declared;
  const isSingle = bytes.subarray(newline).every((byte) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d));
  return isSingle ? declared : 'application/x-ndjson';
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Why a body is not even parsed: too deep, or more records than a request may have. */
export function refuseBody(bytes: Buffer, type: BodyType, limits: IngestLimits): Rejection | undefined {
  const { depth, elements } = scanBody(bytes, type);
  if (depth > MAX_PARSED_DEPTH)
    return reject('too_deep', '', `the body nests ${depth} levels deep; flatten its records`);
  // Fields of the envelope count as elements too: a handful more is harmless here, and counted exactly after parsing.
  return elements > limits.maxRecordsPerRequest + 64 ? tooMany(elements, limits) : undefined;
}

const tooMany = (count: number, limits: IngestLimits): Rejection =>
  reject('too_large', '', `the request has ${count} records; send at most ${limits.maxRecordsPerRequest}`);

/** One row, used over and over: what a record becomes is not wanted here, only whether it is acceptable. */
const scratch = new ReadingBatch(1);

/**
 * Judges every record of a body.
 * @param judge of a sender who may not send all devices; asked for each record that is good otherwise
 * @param partitions of the queue; then no message has records of several
 * @returns what to publish, or the rejection of the body as a whole
 */
export function acceptRecords(
  bytes: Buffer,
  type: BodyType,
  limits: IngestLimits,
  context: RecordContext,
  judge?: DeviceJudge,
  partitions = 0,
): AcceptedRecords | Rejection {
  const plain = acceptPlain(bytes, type, limits, context, judge, partitions);
  if (plain !== undefined) return plain;
  const openers = countOpeners(bytes, MAX_PARSED_DEPTH);
  const isHarmless =
    openers < MAX_PARSED_DEPTH &&
    (type === 'application/json' || countLines(bytes, MAX_LINES_UNSCANNED) < MAX_LINES_UNSCANNED);
  const refusal = isHarmless ? undefined : refuseBody(bytes, type, limits);
  if (refusal !== undefined) return refusal;
  const parsed = readBody(bytes, type, context);
  if (isRejection(parsed)) return parsed;
  const count = parsed.records.length;
  if (count > limits.maxRecordsPerRequest) return tooMany(count, limits);

  const fits = count <= MAX_MESSAGE_RECORDS && bytes.length <= MAX_MESSAGE_BYTES;
  const mayBeDeep = openers >= MAX_PARSED_DEPTH || openers - countObjects(parsed.records) + 1 > limits.maxDepth;
  const spans = fits && !mayBeDeep ? undefined : recordSpans(bytes, parsed.form);
  const rejections = new Rejections();
  for (let index = 0; index < count; index++) {
    let rejection =
      (spans === undefined ? undefined : refuseSpan(bytes, spans, index, limits)) ??
      readRecord(parsed.records[index], parsed.context, scratch);
    scratch.clear();
    if (judge !== undefined && (rejection === undefined || rejection.code === 'future_timestamp'))
      rejection = judge(namedDevice(parsed.records[index], parsed.context) ?? '') ?? rejection;
    // A clock ahead is for the pipeline to set aside, where the record is kept.
    if (rejection !== undefined && rejection.code !== 'future_timestamp') {
      const deviceId = namedDevice(parsed.records[index], parsed.context);
      rejections.add(index, rejection, deviceId ?? '');
    }
  }

  const { total, listed, codes, devices } = rejections;
  const answer = {
    accepted: count - total,
    rejected: listed,
    rejectedTotal: total,
    codes,
    rejectedDevices: devices,
  };
  if (count === total) return { ...answer, messages: [] };
  const places = partitions === 0 ? undefined : placesOf(parsed, partitions);
  const partition = places === undefined ? undefined : sharedPlace(places);
  if (fits && total === 0 && (places === undefined || partition !== undefined))
    return { ...answer, messages: [{ body: bytes, records: count, partition }] };
  const isLeftOut = total === 0 ? undefined : (index: number) => rejections.has(index);
  const messages = cutRecords(bytes, parsed, { spans, isLeftOut, places });
  return isRejection(messages) ? messages : { ...answer, messages };
}

const plainReader = new PlainReader();
const plainRows = new ReadingBatch(MAX_MESSAGE_RECORDS);

/** The whole body as one message, which is what nearly all are; undefined where it has to be looked at more closely. */
function acceptPlain(
  body: Buffer,
  type: BodyType,
  limits: IngestLimits,
  context: RecordContext,
  judge: DeviceJudge | undefined,
  partitions: number,
): AcceptedRecords | undefined {
  if (body.length > MAX_MESSAGE_BYTES) return undefined;
  plainRows.clear();
  const records = plainReader.read(body, type, context, plainRows);
  if (records === NOT_PLAIN || records > Math.min(MAX_MESSAGE_RECORDS, limits.maxRecordsPerRequest)) return undefined;
  const partition = partitions === 0 ? undefined : partitionOf(plainRows.deviceId[0] as string, partitions);
  for (let row = 0; row < records; row++) {
    const deviceId = plainRows.deviceId[row] as string;
    if (partition !== undefined && partitionOf(deviceId, partitions) !== partition) return undefined;
    if (judge?.(deviceId) !== undefined) return undefined;
  }
  return {
    accepted: records,
    rejected: [],
    rejectedTotal: 0,
    codes: {},
    rejectedDevices: new Map(),
    messages: [{ body, records, partition }],
  };
}

/** Records that open at least one bracket each, which is one less for the deepest of them. */
function countObjects(records: readonly unknown[]): number {
  let count = 0;
  for (const record of records)
    if (typeof record === 'object' && record !== null && !(record instanceof Malformed)) count++;
  return count;
}

/** What only the bytes of a record tell: its size and its depth. */
function refuseSpan(bytes: Buffer, spans: RecordSpans, index: number, limits: IngestLimits): Rejection | undefined {
  const start = spans[2 * index] as number;
  const end = spans[2 * index + 1] as number;
  if (end - start > MAX_MESSAGE_BYTES)
    return reject('too_large', '', `the record has ${end - start} bytes; at most ${MAX_MESSAGE_BYTES} are allowed`);
  const { depth } = scanBody(bytes.subarray(start, end), 'application/json');
  if (depth > limits.maxDepth)
    return reject('too_deep', '', `the record nests ${depth} levels deep; at most ${limits.maxDepth} are allowed`);
  return undefined;
}

class Rejections {
  readonly listed: RejectedRecord[] = [];
  readonly codes: Record<string, number> = {};
  readonly devices = new Map<string, number>();
  total = 0;
  readonly #indices = new Set<number>();

  add(index: number, { code, field, message }: Rejection, deviceId: string): void {
    this.total++;
    this.devices.set(deviceId, (this.devices.get(deviceId) ?? 0) + 1);
    this.#indices.add(index);
    this.codes[code] = (this.codes[code] ?? 0) + 1;
    if (this.listed.length < MAX_LISTED_REJECTIONS)
      this.listed.push({ index, field: field.slice(0, MAX_LISTED_FIELD_LENGTH), code, message });
  }

  has(index: number): boolean {
    return this.#indices.has(index);
  }
}
