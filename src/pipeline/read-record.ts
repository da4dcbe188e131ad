/**
 * One received record → one row of a batch, or the reason why not. The ingest API asks it what to refuse, the
 * pipeline what to store: there is no second opinion about what a good record is.
 *
 * Pure: no clock (`receivedUs` comes with the context), no I/O. Hot path: one pass over the fields, no allocation
 * for a record of known channels in canonical units.
 */
import { CHANNEL_COUNT, CHANNELS, type Channel, type ChannelName } from '../telemetry/channels.js';
import { nestsDeeperThan } from '../telemetry/nesting.js';
import { QualityFlag } from '../telemetry/quality-flags.js';
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import { reject, showValue, type Rejection } from '../telemetry/rejection.js';
import { EPOCH_UNITS, epochToMicros, parseTimestamp, type EpochUnit, type ZoneOffset } from '../telemetry/timestamp.js';
import { findUnit, type Unit } from '../telemetry/units.js';
import { encodeRawValues, MAX_RAW_DEPTH, type RawValues } from './raw-values.js';

/** What a record is read with: the defaults of its batch, and when it came. */
export interface RecordContext {
  /** Epoch microseconds of reception. */
  readonly receivedUs: number;
  /** Unit by catalogue position where the batch declares one; undefined = canonical. */
  readonly units?: readonly (Unit | undefined)[] | undefined;
  /** The declared names of those units, to keep beside a value that could not be stored. */
  readonly unitNames?: Readonly<Partial<Record<ChannelName, string>>> | undefined;
  readonly timestampUnit?: EpochUnit | undefined;
  /** Zone of timestamps that have no offset. */
  readonly zone?: ZoneOffset | undefined;
  readonly deviceId?: string | undefined;
  readonly sourceSystem: string;
}

export const MAX_FUTURE_US = 600 * 1_000_000;
/** Characters of a device id, code points. */
export const MAX_DEVICE_ID_LENGTH = 128;
/** Below zero by less than this share of the zero-offset tolerance: the rounding of a conversion, no offset. */
const ROUNDING_SHARE = 1e-9;
export const MAX_SOURCE_LENGTH = 128;
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f-\u009f]/;

const UNIT_FIELD = CHANNEL_COUNT;
const DEVICE_ID = 1000;
const TIMESTAMP = 1001;
const TIMESTAMP_UNIT = 1002;
const SOURCE_SYSTEM = 1003;

/** Field name → catalogue position, UNIT_FIELD + position for its unit, or one of the codes above. */
const FIELDS: ReadonlyMap<string, number> = new Map<string, number>([
  ...CHANNELS.map((channel): [string, number] => [channel.name, channel.index]),
  ...CHANNELS.map((channel): [string, number] => [`${channel.name}_unit`, UNIT_FIELD + channel.index]),
  ['device_id', DEVICE_ID],
  ['timestamp', TIMESTAMP],
  ['timestamp_unit', TIMESTAMP_UNIT],
  ['source_system', SOURCE_SYSTEM],
]);

/** A line or element that was not JSON: stands in the place of the record that it should have been. */
export class Malformed {
  readonly text: string;
  readonly problem: string;
  constructor(text: string, problem: string) {
    this.text = text;
    this.problem = problem;
  }
}

/** Why this is no device id; undefined when it is one: 1-128 characters, well-formed, no control characters. */
export function checkDeviceId(value: unknown): Rejection | undefined {
  if (typeof value !== 'string')
    return reject('wrong_type', 'device_id', `device_id is ${showValue(value)}; send a string`);
  if (value.length === 0 || (value.length > MAX_DEVICE_ID_LENGTH && characters(value) > MAX_DEVICE_ID_LENGTH)) {
    return reject(
      'invalid_device_id',
      'device_id',
      `device_id has ${characters(value)} characters; 1 to ${MAX_DEVICE_ID_LENGTH} are allowed`,
    );
  }
  if (CONTROL_CHARACTERS.test(value) || !value.isWellFormed()) {
    return reject(
      'invalid_device_id',
      'device_id',
      `device_id ${showValue(value)} has control or malformed characters; remove them`,
    );
  }
  return undefined;
}

/** Code points, as the database counts them; beyond any length that matters, UTF-16 units. */
const characters = (text: string): number =>
  text.length > 2 * MAX_DEVICE_ID_LENGTH ? text.length : Array.from(text).length;

/** The unit of that name for this channel, or why there is none. */
export function resolveUnit(channel: Channel, name: unknown, field: string): Unit | Rejection {
  if (typeof name !== 'string')
    return reject(
      'wrong_type',
      field,
      `${field} is ${showValue(name)}; send one of ${channel.acceptedUnits.join(', ')}`,
    );
  return (
    findUnit(channel.quantity, name) ??
    reject(
      'unknown_unit',
      field,
      `${field} ${showValue(name)} is not a unit of ${channel.name} (${channel.quantity}); accepted: ${channel.acceptedUnits.join(', ')}`,
    )
  );
}

/** The device that a record names, or its envelope for it; null where that cannot be the id of a device. */
export function namedDevice(record: unknown, context: Pick<RecordContext, 'deviceId'>): string | null {
  const id =
    typeof record === 'object' && record !== null && 'device_id' in record ? record.device_id : context.deviceId;
  return checkDeviceId(id) === undefined ? (id as string) : null;
}

export function isRejection(value: object): value is Rejection {
  return 'code' in value && 'message' in value;
}

/** The slots that a record is taken apart into; one set serves all, since reading is synchronous. */
const received = new Float64Array(CHANNEL_COUNT);
const units: (Unit | undefined)[] = new Array<Unit | undefined>(CHANNEL_COUNT).fill(undefined);

/**
 * Reads one record into a new row of `batch`: time, device, values in canonical units as float32, flags and the raw
 * values of what is impossible or unknown. Device state is not consulted: that is the evaluator's part.
 *
 * @returns undefined when the row was added, or the rejection; then the batch is as it was.
 * `future_timestamp` comes only for a record that is good in every other respect.
 */
export function readRecord(record: unknown, context: RecordContext, batch: ReadingBatch): Rejection | undefined {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) {
    return reject('not_an_object', '', `a record is a JSON object, not ${showValue(record)}`);
  }
  if (record instanceof Malformed)
    return reject('malformed_json', '', `not JSON (${record.problem}): ${showValue(record.text)}`);

  const fields = record as Record<string, unknown>;
  let deviceId: unknown = context.deviceId;
  let timestamp: unknown;
  let timestampUnit: unknown = context.timestampUnit;
  let sourceSystem: unknown = context.sourceSystem;
  let unitsDeclared = context.units !== undefined;
  let raw: RawValues | undefined;
  received.fill(Number.NaN);
  for (let index = 0; index < CHANNEL_COUNT; index++) units[index] = context.units?.[index];

  for (const name in fields) {
    const value = fields[name];
    const field = FIELDS.get(name);
    if (field === undefined) {
      raw ??= new Map();
      if (nestsDeeperThan(value, MAX_RAW_DEPTH))
        return reject('too_deep', name, `${showValue(name)} is nested deeper than ${MAX_RAW_DEPTH} levels; flatten it`);
      raw.set(name, value);
    } else if (field < UNIT_FIELD) {
      if (typeof value === 'number') {
        if (!Number.isFinite(value))
          return reject('not_finite', name, `${name} is ${value}; send a finite number or leave it out`);
        received[field] = value;
      } else if (value !== null) {
        return reject(
          'wrong_type',
          name,
          `${name} is ${showValue(value)}; send a number, or null where there is no reading`,
        );
      }
    } else if (field < DEVICE_ID) {
      const unit = resolveUnit(CHANNELS[field - UNIT_FIELD] as Channel, value, name);
      if (isRejection(unit)) return unit;
      units[field - UNIT_FIELD] = unit;
      unitsDeclared = true;
    } else if (field === DEVICE_ID) deviceId = value;
    else if (field === TIMESTAMP) timestamp = value;
    else if (field === TIMESTAMP_UNIT) timestampUnit = value;
    else sourceSystem = value;
  }

  if (deviceId === undefined)
    return reject('missing_field', 'device_id', 'device_id is missing; every record names its device');
  const deviceProblem = checkDeviceId(deviceId);
  if (deviceProblem !== undefined) return deviceProblem;
  if (
    typeof sourceSystem !== 'string' ||
    sourceSystem.length > MAX_SOURCE_LENGTH ||
    CONTROL_CHARACTERS.test(sourceSystem) ||
    !sourceSystem.isWellFormed()
  ) {
    return reject(
      'wrong_type',
      'source_system',
      `source_system is ${showValue(sourceSystem)}; send a string of at most ${MAX_SOURCE_LENGTH} printable characters`,
    );
  }
  const timestampUs = readTimestamp(timestamp, timestampUnit, context.zone);
  if (typeof timestampUs !== 'number') return timestampUs;

  const row = batch.open();
  batch.timestampUs[row] = timestampUs;
  batch.deviceId[row] = deviceId as string;
  batch.receivedUs[row] = context.receivedUs;
  batch.sourceSystem[row] = sourceSystem;
  let low = 0;
  let high = 0;
  if (raw !== undefined) low |= QualityFlag.unknownFields;

  const values = batch.values;
  const base = row * CHANNEL_COUNT;
  for (let index = 0; index < CHANNEL_COUNT; index++) {
    let value = received[index] as number;
    if (value !== value) continue; // NaN: not reported
    const channel = CHANNELS[index] as Channel;
    if (unitsDeclared) {
      const unit = units[index];
      // As precise as it is stored: 392 °F are 200 °C, and not 3e-14 more than what is possible.
      if (unit !== undefined) value = Math.fround(value * unit.factor + unit.offset);
    }
    if (value < 0 && value >= -channel.zeroTolerance) {
      if (value < -channel.zeroTolerance * ROUNDING_SHARE) low |= QualityFlag.zeroOffset;
      value = 0;
    }
    if (value >= channel.minimum && value <= channel.maximum) {
      values[base + index] = Math.fround(value) + 0; // −0 becomes 0
    } else {
      high |= 1 << index;
      raw ??= new Map();
      keepReceived(raw, channel.name, fields, context);
    }
  }
  batch.flagsLow[row] = low;
  batch.flagsHigh[row] = high;

  if (raw !== undefined) {
    const text = encodeRawValues(raw);
    if (typeof text !== 'string') {
      batch.retract();
      return text;
    }
    batch.rawValues[row] = text;
  }
  if (timestampUs > context.receivedUs + MAX_FUTURE_US) {
    batch.retract();
    return reject(
      'future_timestamp',
      'timestamp',
      `timestamp ${showValue(timestamp)} is more than 10 minutes ahead of the clock here; check the sender's clock`,
    );
  }
  return undefined;
}

/** Keeps an impossible value as it was received, with the unit it was declared in. */
function keepReceived(
  raw: RawValues,
  name: ChannelName,
  fields: Record<string, unknown>,
  context: RecordContext,
): void {
  raw.set(name, fields[name]);
  const unit = fields[`${name}_unit`] ?? context.unitNames?.[name];
  if (unit !== undefined) raw.set(`${name}_unit`, unit);
}

function readTimestamp(value: unknown, unit: unknown, zone: ZoneOffset | undefined): number | Rejection {
  if (typeof value === 'string') {
    const parsed = parseTimestamp(value, zone);
    if (typeof parsed === 'number') return parsed;
    return parsed === 'naive_timestamp'
      ? reject(
          parsed,
          'timestamp',
          `timestamp ${showValue(value)} has no offset; add one (Z or +01:00), or declare the batch's time_zone`,
        )
      : reject(parsed, 'timestamp', `timestamp ${showValue(value)} is not RFC 3339; send e.g. 2026-11-23T18:22:08.5Z`);
  }
  if (typeof value === 'number') {
    if (unit === undefined) {
      return reject(
        'timestamp_unit_missing',
        'timestamp',
        `timestamp ${showValue(value)} is a number; declare timestamp_unit: ${Object.keys(EPOCH_UNITS).join(', ')}`,
      );
    }
    if (!isEpochUnit(unit))
      return reject(
        'unknown_unit',
        'timestamp_unit',
        `timestamp_unit is ${showValue(unit)}; send one of ${Object.keys(EPOCH_UNITS).join(', ')}`,
      );
    const micros = epochToMicros(value, unit);
    return typeof micros === 'number'
      ? micros
      : reject(micros, 'timestamp', `timestamp ${showValue(value)} ${unit} is outside the years -4712 to 9999`);
  }
  if (value === undefined)
    return reject('missing_field', 'timestamp', 'timestamp is missing; every record says when it was measured');
  return reject(
    'wrong_type',
    'timestamp',
    `timestamp is ${showValue(value)}; send RFC 3339 text or a number with timestamp_unit`,
  );
}

export function isEpochUnit(value: unknown): value is EpochUnit {
  return typeof value === 'string' && Object.hasOwn(EPOCH_UNITS, value);
}
