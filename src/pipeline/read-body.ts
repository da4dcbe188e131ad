/** The bytes of a message → its records and the context they are read with. */
import { isUtf8 } from 'node:buffer';
import { CHANNEL_COUNT, CHANNELS, channelIndex, type Channel } from '../telemetry/channels.js';
import { reject, showValue, type Rejection } from '../telemetry/rejection.js';
import { zoneOffset } from '../telemetry/time-zone.js';
import { EPOCH_UNITS } from '../telemetry/timestamp.js';
import type { Unit } from '../telemetry/units.js';
import { isEpochUnit, isRejection, Malformed, resolveUnit, type RecordContext } from './read-record.js';

export type BodyType = 'application/json' | 'application/x-ndjson';
export type BodyForm = 'object' | 'array' | 'envelope' | 'ndjson';

export interface ParsedBody {
  readonly form: BodyForm;
  /** Elements as they came; a line that is not JSON is a `Malformed`. */
  readonly records: readonly unknown[];
  readonly context: RecordContext;
  /** The envelope without its records, to put around a part of them again. */
  readonly envelope?: Readonly<Record<string, unknown>>;
}

const ENVELOPE_FIELDS = new Set(['records', 'units', 'timestamp_unit', 'time_zone', 'device_id', 'source_system']);

/**
 * Takes a body apart: one JSON record, an array of them, an envelope `{records: […], units, timestamp_unit,
 * time_zone, device_id, source_system}`, or NDJSON. A rejection means that nothing in it can be read; a bad line of
 * NDJSON costs only itself.
 * @param correct changes what was parsed (the body, or a line) before it is looked at
 */
export function readBody(
  body: Uint8Array,
  type: BodyType,
  defaults: RecordContext,
  correct?: (value: unknown) => unknown,
): ParsedBody | Rejection {
  if (!isUtf8(body)) return reject('malformed_json', '', 'the body is not UTF-8; encode it as UTF-8');
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  // A byte order mark is allowed to be ignored (RFC 8259, 8.1).
  const text =
    bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
      ? bytes.toString('utf8', 3)
      : bytes.toString('utf8');
  if (type === 'application/x-ndjson') {
    const lines = readLines(text);
    const records = correct && lines.map((line) => (line instanceof Malformed ? line : correct(line)));
    return { form: 'ndjson', records: records ?? lines, context: defaults };
  }
  const parsed = parse(text);
  if (parsed instanceof Malformed) return reject('malformed_json', '', `the body is not JSON: ${parsed.problem}`);
  const value = correct === undefined ? parsed : correct(parsed);
  if (Array.isArray(value)) return { form: 'array', records: value as unknown[], context: defaults };
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, 'records'))
    return readEnvelope(value as Record<string, unknown>, defaults);
  return { form: 'object', records: [value], context: defaults };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    // JSON.parse throws nothing but SyntaxError; its message quotes the text, which may be long.
    return new Malformed(text, (error as SyntaxError).message.slice(0, 160));
  }
}

function readLines(text: string): unknown[] {
  const records: unknown[] = [];
  for (const line of text.split('\n')) {
    if (line.length > 0 && line.trim().length > 0) records.push(parse(line));
  }
  return records;
}

function readEnvelope(value: Record<string, unknown>, defaults: RecordContext): ParsedBody | Rejection {
  const { records, ...envelope } = value;
  if (!Array.isArray(records))
    return reject('wrong_type', 'records', `records is ${showValue(records)}; send an array of records`);
  for (const name of Object.keys(envelope)) {
    if (!ENVELOPE_FIELDS.has(name)) {
      return reject(
        'wrong_type',
        name,
        `${showValue(name)} is no field of an envelope; it has ${[...ENVELOPE_FIELDS].join(', ')}`,
      );
    }
  }
  const context = withDefaults(envelope, defaults);
  return isRejection(context) ? context : { form: 'envelope', records: records as unknown[], context, envelope };
}

/** The context with the defaults that an envelope declares. */
function withDefaults(envelope: Record<string, unknown>, defaults: RecordContext): RecordContext | Rejection {
  const {
    units,
    timestamp_unit: timestampUnit,
    time_zone: timeZone,
    device_id: deviceId,
    source_system: sourceSystem,
  } = envelope;
  let context = defaults;
  if (timestampUnit !== undefined) {
    if (!isEpochUnit(timestampUnit))
      return reject(
        'unknown_unit',
        'timestamp_unit',
        `timestamp_unit is ${showValue(timestampUnit)}; send one of ${Object.keys(EPOCH_UNITS).join(', ')}`,
      );
    context = { ...context, timestampUnit };
  }
  if (timeZone !== undefined) {
    const zone = typeof timeZone === 'string' ? zoneOffset(timeZone) : undefined;
    if (zone === undefined)
      return reject(
        'unknown_unit',
        'time_zone',
        `time_zone is ${showValue(timeZone)}; send UTC, an offset (+03:00) or an IANA name (America/Chicago)`,
      );
    context = { ...context, zone };
  }
  if (deviceId !== undefined) {
    if (typeof deviceId !== 'string')
      return reject('wrong_type', 'device_id', `device_id is ${showValue(deviceId)}; send a string`);
    context = { ...context, deviceId };
  }
  if (sourceSystem !== undefined) {
    if (typeof sourceSystem !== 'string')
      return reject('wrong_type', 'source_system', `source_system is ${showValue(sourceSystem)}; send a string`);
    context = { ...context, sourceSystem };
  }
  if (units === undefined) return context;
  const resolved = resolveUnits(units);
  return isRejection(resolved) ? resolved : { ...context, ...resolved };
}

/** Units declared for a whole batch: `{temperature: "F", pressure: "bar"}`. */
function resolveUnits(declared: unknown): Required<Pick<RecordContext, 'units' | 'unitNames'>> | Rejection {
  if (typeof declared !== 'object' || declared === null || Array.isArray(declared)) {
    return reject(
      'wrong_type',
      'units',
      `units is ${showValue(declared)}; send an object such as {"temperature": "F"}`,
    );
  }
  const units = new Array<Unit | undefined>(CHANNEL_COUNT).fill(undefined);
  for (const [name, unitName] of Object.entries(declared)) {
    const index = channelIndex(name);
    if (index === undefined)
      return reject('unknown_unit', `units.${name}`, `units names ${showValue(name)}, which is no channel`);
    const unit = resolveUnit(CHANNELS[index] as Channel, unitName, `units.${name}`);
    if (isRejection(unit)) return unit;
    units[index] = unit;
  }
  return { units, unitNames: declared };
}
