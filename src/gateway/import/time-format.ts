/** How the time column of a file is written: RFC 3339, an epoch with its unit, or a pattern such as `dd/MM/yyyy HH:mm:ss`. */
import { epochToMicros, parseTimestamp, type EpochUnit, type ZoneOffset } from '../../telemetry/timestamp.js';

/** A time that the file format itself declares as one (Parquet), epoch microseconds. */
export class NativeTimestamp {
  readonly micros: number;
  constructor(micros: number) {
    this.micros = micros;
  }
}

/** Epoch microseconds of a cell, or undefined when it is not written like that. */
export type TimeReader = (cell: unknown) => number | undefined;

const EPOCH_FORMATS: Readonly<Record<string, EpochUnit>> = {
  'epoch-s': 's',
  'epoch-ms': 'ms',
  'epoch-us': 'us',
  'epoch-ns': 'ns',
};

/** Fields of a pattern: what they match and what they mean. Longest first, since `yyyy` begins with `yy`. */
const PATTERN_FIELDS: readonly (readonly [string, string, PatternField])[] = [
  ['yyyy', '(\\d{4})', 'year'],
  ['yy', '(\\d{2})', 'shortYear'],
  ['MM', '(\\d{2})', 'month'],
  ['M', '(\\d{1,2})', 'month'],
  ['dd', '(\\d{2})', 'day'],
  ['d', '(\\d{1,2})', 'day'],
  ['HH', '(\\d{2})', 'hour'],
  ['H', '(\\d{1,2})', 'hour'],
  ['hh', '(\\d{2})', 'halfDayHour'],
  ['h', '(\\d{1,2})', 'halfDayHour'],
  ['mm', '(\\d{2})', 'minute'],
  ['m', '(\\d{1,2})', 'minute'],
  ['ss', '(\\d{2})', 'second'],
  ['s', '(\\d{1,2})', 'second'],
  ['XXX', '(Z|[+-]\\d{2}:?\\d{2})', 'offset'],
  ['a', '([AaPp][Mm])', 'half'],
];

type PatternField =
  | 'year'
  | 'shortYear'
  | 'month'
  | 'day'
  | 'hour'
  | 'halfDayHour'
  | 'minute'
  | 'second'
  | 'fraction'
  | 'offset'
  | 'half';

interface CompiledPattern {
  readonly expression: RegExp;
  readonly fields: readonly PatternField[];
}

/** Whether times in this format carry their offset or are counted from the epoch, and need no zone. */
export function carriesOffset(format: string): boolean {
  return (
    format in EPOCH_FORMATS || format === 'rfc3339' || (compilePattern(format)?.fields.includes('offset') ?? false)
  );
}

/**
 * The reader of a format.
 * @param zone what naive times mean; with none, a time without offset is not readable
 * @returns undefined when the format is not one
 */
export function createTimeReader(format: string, zone: ZoneOffset | undefined): TimeReader | undefined {
  const unit = EPOCH_FORMATS[format];
  if (unit !== undefined) return orNative((cell) => readEpoch(cell, unit));
  if (format === 'rfc3339') {
    return orNative((cell) => (typeof cell === 'string' ? instant(parseTimestamp(cell.trim(), zone)) : undefined));
  }
  const pattern = compilePattern(format);
  if (pattern === undefined) return undefined;
  return orNative((cell) =>
    typeof cell === 'string' || typeof cell === 'number' ? readPattern(String(cell).trim(), pattern, zone) : undefined,
  );
}

const orNative =
  (read: TimeReader): TimeReader =>
  (cell) =>
    cell instanceof NativeTimestamp ? cell.micros : read(cell);

const instant = (value: number | string): number | undefined => (typeof value === 'number' ? value : undefined);

function readEpoch(cell: unknown, unit: EpochUnit): number | undefined {
  // Nanoseconds since 1970 do not fit into a double: whole ones are divided before they become a number.
  if (typeof cell === 'bigint') return instant(fromBigint(cell, unit));
  if (typeof cell === 'number') return instant(epochToMicros(cell, unit));
  if (typeof cell !== 'string') return undefined;
  const text = cell.trim();
  if (/^[+-]?\d+$/.test(text)) return instant(fromBigint(BigInt(text), unit));
  return /^[+-]?\d+\.\d+$/.test(text) ? instant(epochToMicros(Number(text), unit)) : undefined;
}

function fromBigint(value: bigint, unit: EpochUnit): number | string {
  if (unit !== 'ns') return epochToMicros(Number(value), unit);
  const micros = value / 1000n - (value < 0n && value % 1000n !== 0n ? 1n : 0n);
  return epochToMicros(Number(micros), 'us');
}

const SPECIAL = /[\\^$.*+?()[\]{}|]/g;

function compilePattern(format: string): CompiledPattern | undefined {
  let source = '^';
  const fields: PatternField[] = [];
  for (let at = 0; at < format.length;) {
    const rest = format.slice(at);
    const quoted = /^'([^']*)'/.exec(rest);
    const fraction = /^S+/.exec(rest)?.[0];
    const field = PATTERN_FIELDS.find(([token]) => rest.startsWith(token));
    if (quoted !== null) {
      source += (quoted[1] as string).replace(SPECIAL, '\\$&');
      at += quoted[0].length;
    } else if (fraction !== undefined) {
      source += '(\\d+)';
      fields.push('fraction');
      at += fraction.length;
    } else if (field !== undefined) {
      source += field[1];
      fields.push(field[2]);
      at += field[0].length;
    } else if (/^[A-Za-z]/.test(rest) && !rest.startsWith('T')) {
      return undefined; // a letter that means nothing: rather refused than matched literally
    } else {
      source += (rest[0] as string).replace(SPECIAL, '\\$&');
      at++;
    }
  }
  const has = (...names: PatternField[]): boolean => names.some((name) => fields.includes(name));
  const complete = has('year', 'shortYear') && has('month') && has('day');
  const halves = has('halfDayHour') === has('half') && new Set(fields).size === fields.length;
  return complete && halves ? { expression: new RegExp(`${source}$`), fields } : undefined;
}

/** Two digits of a year: 69 and before are 20xx (POSIX strptime). */
const fullYear = (short: number): number => short + (short < 69 ? 2000 : 1900);

function readPattern(text: string, pattern: CompiledPattern, zone: ZoneOffset | undefined): number | undefined {
  const match = pattern.expression.exec(text);
  if (match === null) return undefined;
  const found = new Map(pattern.fields.map((field, index) => [field, match[index + 1] as string]));
  const number = (field: PatternField, otherwise: number): number => Number(found.get(field) ?? otherwise);
  const year = found.has('shortYear') ? fullYear(number('shortYear', 0)) : number('year', 0);
  const hour = found.has('half') ? halfDay(number('halfDayHour', 12), found.get('half') as string) : number('hour', 0);
  const two = (value: number): string => String(value).padStart(2, '0');
  const decimals = found.has('fraction') ? `.${found.get('fraction')}` : '';
  const date = `${String(year).padStart(4, '0')}-${two(number('month', 1))}-${two(number('day', 1))}`;
  const time = `${two(hour)}:${two(number('minute', 0))}:${two(number('second', 0))}${decimals}`;
  return instant(parseTimestamp(`${date}T${time}${found.get('offset') ?? ''}`, zone));
}

/** 12 is the hour before 1. An hour beyond 12 stays out of range, and so is refused. */
const halfDay = (hour: number, half: string): number =>
  hour < 1 || hour > 12 ? 99 : (hour % 12) + (half.toLowerCase() === 'pm' ? 12 : 0);
