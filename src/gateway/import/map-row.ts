/** A row of a file → the record that is ingested. */
import { channelIndex } from '../../telemetry/channels.js';
import { OperationalError } from '../../telemetry/operational-error.js';
import { formatTimestamp } from '../../telemetry/timestamp.js';
import type { ChannelColumn, DeviceMapping, Mapping } from './mapping.js';
import type { SourceRow } from './source-row.js';
import { NativeTimestamp } from './time-format.js';

export interface MappedRow {
  /** JSON text of the record. */
  readonly json: string;
  /** Undefined where the row has none that can be read; then it becomes a dead letter. */
  readonly deviceId: string | undefined;
  readonly timestampUs: number | undefined;
}

/** Fields of a record that are no channels, and that a column of that name may not become by accident. */
const RESERVED = new Set(['device_id', 'timestamp', 'timestamp_unit', 'source_system']);
const isRecordField = (name: string): boolean =>
  RESERVED.has(name) || channelIndex(name) !== undefined || channelIndex(name.replace(/_unit$/, '')) !== undefined;

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
/** Of a row that cannot be read so much goes into its dead letter. */
const MAX_ORIGINAL_CHARACTERS = 65_536;

type Role =
  | { readonly kind: 'time' | 'device' | 'ignored' | 'unknown' }
  | { readonly kind: 'channel'; readonly column: ChannelColumn };

const TIME: Role = { kind: 'time' };
const DEVICE: Role = { kind: 'device' };
const IGNORED: Role = { kind: 'ignored' };
const UNKNOWN: Role = { kind: 'unknown' };

/** The fixed device of a file: named by the caller, constant, or taken from its path; undefined = a column says. */
export function deviceOfFile(path: string, device: DeviceMapping | undefined): string | undefined {
  if (device === undefined) {
    throw new OperationalError(
      'invalid_configuration',
      'Nothing says which device the rows belong to. Add device: to the mapping (column, constant or fromFileName), or give --device.',
    );
  }
  if (device.from === 'column') return undefined;
  if (device.from === 'constant') return device.deviceId;
  const match = device.pattern.exec(path.replaceAll('\\', '/'));
  if (match === null)
    throw new OperationalError(
      'invalid_configuration',
      `${device.at}: the pattern of fromFileName does not match ${path}; change it, or give --device.`,
    );
  return device.template.replace(/\$(\d)/g, (_, group: string) => (match[Number(group)] ?? '').replaceAll('/', '-'));
}

export class RowMapper {
  readonly #mapping: Mapping;
  readonly #fileName: string;
  readonly #deviceId: string | undefined;
  readonly #roles = new Map<string, Role>();

  /** @param deviceId of all rows; undefined when a column says */
  constructor(mapping: Mapping, fileName: string, deviceId: string | undefined) {
    this.#mapping = mapping;
    this.#fileName = fileName;
    this.#deviceId = deviceId;
    for (const [name, column] of mapping.columns) this.#roles.set(name, { kind: 'channel', column });
    for (const name of mapping.ignore) this.#roles.set(name, IGNORED);
    if (mapping.device?.from === 'column')
      this.#roles.set(mapping.device.column, deviceId === undefined ? DEVICE : IGNORED);
    this.#roles.set(mapping.time.column, TIME);
  }

  /** What is wrong between the mapping and the columns of a file; undefined when nothing is. */
  checkColumns(path: string, columns: readonly string[]): OperationalError | undefined {
    const present = new Set(columns);
    const problems: string[] = [];
    const need = (name: string, at: string, what: string): void => {
      if (!present.has(name)) problems.push(`${at === '' ? '' : `${at}: `}there is no column "${name}" (${what})`);
    };
    const { time, device } = this.#mapping;
    need(time.column, time.at, 'the time');
    if (device?.from === 'column' && this.#deviceId === undefined) need(device.column, device.at, 'the device');
    for (const [name, { channel, optional, at }] of this.#mapping.columns) if (!optional) need(name, at, channel);
    for (const name of columns) {
      if (!this.#mapping.isIdentity && !this.#roles.has(name) && isRecordField(name))
        problems.push(`column "${name}" has the name of a field but is not mapped; map it, or list it under ignore`);
    }
    if (problems.length === 0) return undefined;
    const shown =
      columns.length === 1
        ? `the one column "${columns[0]}" (is it the right delimiter?)`
        : `the columns ${columns.join(', ')}`;
    return new OperationalError(
      'invalid_configuration',
      `${path} does not fit the mapping; it has ${shown}:\n  ${problems.join('\n  ')}`,
    );
  }

  map(row: SourceRow): MappedRow {
    if (row.problem !== undefined) return this.#mapUnreadable(row, row.problem);
    const { constants } = this.#mapping;
    const record = Object.create(null) as Record<string, unknown>;
    record['device_id'] = this.#deviceId;
    record['timestamp'] = undefined;
    for (const name in constants) if (name !== 'source_system') record[name] = constants[name];
    let deviceId = this.#deviceId;
    let timestampUs: number | undefined;
    const { names, values } = row;
    for (let index = 0; index < names.length; index++) {
      const name = names[index] as string;
      const role = this.#roles.get(name) ?? UNKNOWN;
      if (role === IGNORED) continue;
      const value = this.#present(values[index]);
      if (value === undefined) continue;
      if (role.kind === 'channel') record[role.column.channel] = this.#number(value);
      else if (role === TIME) {
        timestampUs = this.#mapping.time.read(value);
        // What cannot be read goes on as it is, and comes back as a dead letter with the reason.
        record['timestamp'] = timestampUs === undefined ? this.#unreadTime(value) : formatTimestamp(timestampUs);
      } else if (role === DEVICE) {
        deviceId = typeof value === 'number' || typeof value === 'bigint' ? String(value) : textOrNothing(value);
        record['device_id'] = deviceId ?? jsonValue(value);
      } else if (this.#mapping.isIdentity || !isRecordField(name)) record[name] = this.#unknown(name, value);
      else record[`${name}_`] = jsonValue(value); // NDJSON: a field that nobody mapped must not become a channel
    }
    return { json: JSON.stringify(record), deviceId, timestampUs };
  }

  /** A record without time, which is refused, and so arrives in the dead letters with all that is known of the row. */
  #mapUnreadable(row: SourceRow, problem: string): MappedRow {
    const record = {
      ...(this.#deviceId === undefined ? {} : { device_id: this.#deviceId }),
      import_problem: problem,
      import_file: this.#fileName,
      import_line: row.line,
      original: (row.text ?? '').slice(0, MAX_ORIGINAL_CHARACTERS),
    };
    return { json: JSON.stringify(record), deviceId: undefined, timestampUs: undefined };
  }

  /** The value of a cell, or undefined where there is none. */
  #present(value: unknown): unknown {
    if (typeof value === 'string') return this.#mapping.missing.has(value.trim()) ? undefined : value;
    return value === null || (typeof value === 'number' && Number.isNaN(value)) ? undefined : value;
  }

  /** A reading as a number; what is none stays what it is, and is refused with the reason. */
  #number(value: unknown): unknown {
    if (typeof value !== 'string') return jsonValue(value);
    const text = this.#mapping.decimal === ',' ? value.trim().replace(',', '.') : value.trim();
    const number = NUMBER.test(text) ? Number(text) : Number.NaN;
    return Number.isFinite(number) ? number : value;
  }

  /** Without a mapping it may be a number whose unit is in `timestamp_unit`. */
  #unreadTime(value: unknown): unknown {
    return this.#mapping.isIdentity ? this.#number(value) : jsonValue(value);
  }

  /** Without a mapping a field is what its name says; otherwise it is kept beside the record, as a number if it is one. */
  #unknown(name: string, value: unknown): unknown {
    return this.#mapping.isIdentity && (RESERVED.has(name) || name.endsWith('_unit'))
      ? jsonValue(value)
      : this.#number(value);
  }
}

const textOrNothing = (value: unknown): string | undefined => (typeof value === 'string' ? value.trim() : undefined);

/** JSON has neither times nor whole numbers beyond a double, nor infinities: they are written out. */
function jsonValue(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return value instanceof NativeTimestamp ? formatTimestamp(value.micros) : value;
}
