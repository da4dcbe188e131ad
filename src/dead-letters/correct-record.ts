/**
 * Corrections of records before they are read: what a mapping or a declaration should have said. Pure; the bytes of the
 * letter stay as they are, so that a correction that was wrong can be followed by another.
 */
import { isRejection, checkDeviceId, resolveUnit, type RecordContext } from '../pipeline/read-record.js';
import type { BodyType } from '../pipeline/read-body.js';
import { CHANNELS, type Channel } from '../telemetry/channels.js';
import { zoneOffset } from '../telemetry/time-zone.js';
import { wrongUsage } from './letter-errors.js';
import type { Corrections } from './letter-schemas.js';

type Fields = Readonly<Record<string, unknown>>;

/** How letters are to be read. */
export interface Reading {
  /** undefined: what travelled beside the letter says it. */
  readonly type: BodyType | undefined;
  /** Defaults of the records, received at an instant (epoch microseconds). */
  readonly context: (receivedUs: number) => RecordContext;
  /** Changes what was parsed; undefined: nothing is to be changed. */
  readonly correct: ((value: unknown) => unknown) | undefined;
}

const SOURCE_SYSTEM = 'scada';

/** @throws WrongUsage for a zone, unit or device that does not exist */
export function prepareReading(corrections: Corrections = {}): Reading {
  const { time_zone: timeZone, timestamp_unit: timestampUnit, device_id: deviceId, ndjson } = corrections;
  const zone = timeZone === undefined ? undefined : zoneOffset(timeZone);
  if (timeZone !== undefined && zone === undefined)
    throw wrongUsage(`${timeZone} is no time zone; write UTC, an offset (+03:00) or an IANA name`, 'time_zone');
  const problem = deviceId === undefined ? undefined : checkDeviceId(deviceId);
  if (problem !== undefined) throw wrongUsage(problem.message, 'device_id');
  const units = new Map<string, string>(Object.entries(corrections.units ?? {}));
  for (const [name, unit] of units) checkUnit(name, unit);
  const rename = new Map(Object.entries(corrections.rename ?? {}));
  if (new Set(rename.values()).size < rename.size)
    throw wrongUsage(
      'two fields are to get the same name; replay the letters of each with its own correction',
      'rename',
    );
  const correction = new Correction({ ...corrections, units, rename });
  return {
    type: ndjson === true ? 'application/x-ndjson' : undefined,
    context: (receivedUs) => ({ receivedUs, sourceSystem: SOURCE_SYSTEM, zone, timestampUnit, deviceId }),
    correct: Object.keys(corrections).length === 0 ? undefined : (value) => correction.ofBody(value),
  };
}

function checkUnit(name: string, unit: string): void {
  const channel: Channel | undefined = CHANNELS.find((candidate) => candidate.name === name);
  if (channel === undefined) throw wrongUsage(`${name} is no channel`, 'units');
  const resolved = resolveUnit(channel, unit, name);
  if (isRejection(resolved)) throw wrongUsage(resolved.message, 'units');
}

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

class Correction {
  readonly #units: ReadonlyMap<string, string>;
  readonly #rename: ReadonlyMap<string, string>;
  /** Fields that the context says from now on, in envelopes and in records. */
  readonly #ofEnvelopes: ReadonlySet<string>;
  readonly #ofRecords: ReadonlySet<string>;

  constructor(
    options: Omit<Corrections, 'units' | 'rename'> & Record<'units' | 'rename', ReadonlyMap<string, string>>,
  ) {
    this.#units = options.units;
    this.#rename = options.rename;
    const given = (names: readonly (keyof Corrections)[]) => names.filter((name) => options[name] !== undefined);
    this.#ofRecords = new Set(given(['timestamp_unit', 'device_id']));
    this.#ofEnvelopes = new Set(given(['timestamp_unit', 'device_id', 'time_zone']));
  }

  /** A record, an array of them, or an envelope. */
  ofBody(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((record) => this.#ofRecord(record));
    if (!isObject(value)) return value;
    const renamed = this.#renamed(value);
    return Array.isArray(renamed['records']) ? this.#ofEnvelope(renamed) : this.#ofRecord(value);
  }

  #ofEnvelope(envelope: Fields): Fields {
    const { records, units, ...others } = this.#without(envelope, this.#ofEnvelopes);
    const left = isObject(units) ? this.#without(this.#renamed(units), new Set(this.#units.keys())) : units;
    return {
      ...others,
      ...(left === undefined ? {} : { units: left }),
      records: (records as unknown[]).map((record) => this.#ofRecord(record)),
    };
  }

  #ofRecord(record: unknown): unknown {
    if (!isObject(record)) return record;
    const kept = Object.entries(this.#without(this.#renamed(record), this.#ofRecords));
    const units = [...this.#units].filter(([name]) => kept.some(([field]) => field === name));
    return Object.fromEntries([...kept, ...units.map(([name, unit]) => [`${name}_unit`, unit] as const)]);
  }

  /** A name that is taken stays with the field that has it. */
  #renamed(fields: Fields): Fields {
    if (this.#rename.size === 0) return fields;
    const nameOf = (name: string): string => {
      const wanted = this.#rename.get(name);
      return wanted === undefined || Object.hasOwn(fields, wanted) ? name : wanted;
    };
    // Not by assignment: a field may be called __proto__.
    return Object.fromEntries(Object.entries(fields).map(([name, value]) => [nameOf(name), value]));
  }

  #without(fields: Fields, names: ReadonlySet<string>): Fields {
    return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.has(name)));
  }
}
