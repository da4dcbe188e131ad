/**
 * Instants as epoch microseconds in a JavaScript number: exact between the years 1684 and 2255 (|µs| < 2^53), and
 * outside of them wherever the value happens to be representable; anything else is refused, never rounded.
 * A JavaScript Date is never on the way: it would cut microseconds off.
 */

export const MICROS_PER_SECOND = 1_000_000;
export const MICROS_PER_DAY = 86_400 * MICROS_PER_SECOND;

/** Units that a numeric timestamp may be declared in, as microseconds. */
export const EPOCH_UNITS = { s: 1e6, ms: 1e3, us: 1, ns: 1e-3 } as const;
export type EpochUnit = keyof typeof EPOCH_UNITS;

export type TimestampProblem = 'invalid_timestamp' | 'naive_timestamp';

const DIGIT_ZERO = 48;

function digits(text: string, from: number, count: number): number {
  let value = 0;
  for (let at = from; at < from + count; at++) {
    const digit = text.charCodeAt(at) - DIGIT_ZERO;
    if (!(digit >= 0 && digit <= 9)) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/**
 * Days from 1970-01-01 to a date of the proleptic Gregorian calendar.
 * Source: H. Hinnant, "chrono-compatible low-level date algorithms", days_from_civil.
 */
export function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function daysInMonth(year: number, month: number): number {
  const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return (DAYS_IN_MONTH[month - 1] as number) + (leap ? 1 : 0);
}

/** The digits after the decimal point as microseconds; `end` is where they stop. Digits beyond the sixth must be 0. */
function fraction(text: string, from: number): { micros: number; end: number } | undefined {
  let micros = 0;
  let weight = 100_000;
  let at = from;
  for (; at < text.length; at++) {
    const digit = text.charCodeAt(at) - DIGIT_ZERO;
    if (!(digit >= 0 && digit <= 9)) break;
    if (weight >= 1) micros += digit * weight;
    weight /= 10;
  }
  return at === from ? undefined : { micros: Math.round(micros), end: at };
}

/** Seconds east of UTC of `Z`, `+05`, `+05:30` or `+0530` at `from`; undefined when absent, NaN when malformed. */
function offsetSeconds(text: string, from: number): number | undefined {
  if (from === text.length) return undefined;
  const sign = text[from];
  if ((sign === 'Z' || sign === 'z') && from + 1 === text.length) return 0;
  if (sign !== '+' && sign !== '-') return Number.NaN;
  const hours = digits(text, from + 1, 2);
  let minutes = 0;
  if (text.length !== from + 3) {
    const minutesAt = text[from + 3] === ':' ? from + 4 : from + 3;
    minutes = text.length === minutesAt + 2 ? digits(text, minutesAt, 2) : -1;
  }
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return Number.NaN;
  return (sign === '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

/** Turns a wall-clock reading (epoch seconds as if it were UTC) into seconds east of UTC. */
export type ZoneOffset = (wallClockSeconds: number) => number;

/**
 * Epoch microseconds of an RFC 3339 timestamp (`2026-11-23T18:22:08.672341+01:00`; a space may stand for the T).
 * Digits beyond the microsecond are cut off towards the past. A leap second (`:60`) is the first instant of the next minute.
 *
 * @param zone offset to apply where the text has none; without it a naive timestamp is a problem.
 */
export function parseTimestamp(text: string, zone?: ZoneOffset): number | TimestampProblem {
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 2);
  const day = digits(text, 8, 2);
  if (text.length < 16 || text[4] !== '-' || text[7] !== '-' || year < 0 || month < 1 || month > 12)
    return 'invalid_timestamp';
  if (day < 1 || day > daysInMonth(year, month)) return 'invalid_timestamp';
  const separator = text[10];
  if (separator !== 'T' && separator !== 't' && separator !== ' ') return 'invalid_timestamp';
  const hour = digits(text, 11, 2);
  const minute = digits(text, 14, 2);
  if (hour < 0 || hour > 23 || text[13] !== ':' || minute < 0 || minute > 59) return 'invalid_timestamp';

  let at = 16;
  let second = 0;
  let micros = 0;
  if (text[at] === ':') {
    second = digits(text, 17, 2);
    if (second < 0 || second > 60) return 'invalid_timestamp';
    at = 19;
    if (text[at] === '.') {
      const parsed = fraction(text, 20);
      if (parsed === undefined) return 'invalid_timestamp';
      micros = parsed.micros;
      at = parsed.end;
    }
  }
  const wallClock = daysFromCivil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
  let offset = offsetSeconds(text, at);
  if (offset === undefined) {
    if (zone === undefined) return 'naive_timestamp';
    offset = zone(wallClock);
  }
  if (Number.isNaN(offset)) return 'invalid_timestamp';
  return exactMicros(wallClock - offset, micros);
}

function exactMicros(seconds: number, micros: number): number | TimestampProblem {
  const value = seconds * MICROS_PER_SECOND + micros;
  return value - seconds * MICROS_PER_SECOND === micros ? value : 'invalid_timestamp';
}

/** PostgreSQL's timestamptz begins in 4713 BC and year 9999 is the last that RFC 3339 can write. */
const EARLIEST_MICROS = daysFromCivil(-4712, 1, 1) * MICROS_PER_DAY;
const LATEST_MICROS = daysFromCivil(10_000, 1, 1) * MICROS_PER_DAY - 1;

/** Epoch microseconds of a number in a declared unit; fractions below a microsecond are cut off towards the past. */
export function epochToMicros(value: number, unit: EpochUnit): number | TimestampProblem {
  if (!Number.isFinite(value)) return 'invalid_timestamp';
  // Whole and fractional part apart: 1732386128.672341 s × 1e6 would otherwise miss by a microsecond.
  const whole = Math.trunc(value);
  const factor = EPOCH_UNITS[unit];
  const micros =
    unit === 'ns'
      ? Math.floor(value / 1000)
      : whole * factor + (unit === 'us' ? Math.floor(value - whole) : Math.round((value - whole) * factor));
  return micros >= EARLIEST_MICROS && micros <= LATEST_MICROS ? micros : 'invalid_timestamp';
}

const pad = (value: number, width: number): string => String(value).padStart(width, '0');

/** RFC 3339 in UTC; microseconds are written only where there are any (`2026-11-23T18:22:08Z`). Years 0-9999. */
export function formatTimestamp(micros: number): string {
  const days = Math.floor(micros / MICROS_PER_DAY);
  const rest = micros - days * MICROS_PER_DAY;
  const seconds = Math.floor(rest / MICROS_PER_SECOND);
  const fractionMicros = rest - seconds * MICROS_PER_SECOND;
  const { year, month, day } = civilFromDays(days);
  const time = `${pad(Math.floor(seconds / 3600), 2)}:${pad(Math.floor(seconds / 60) % 60, 2)}:${pad(seconds % 60, 2)}`;
  const decimals = fractionMicros === 0 ? '' : `.${pad(fractionMicros, 6)}`;
  const sign = year < 0 ? '-' : '';
  return `${sign}${pad(Math.abs(year), 4)}-${pad(month, 2)}-${pad(day, 2)}T${time}${decimals}Z`;
}

/** As `formatTimestamp`, for SQL: PostgreSQL writes the years before 1 as "BC", and has no year 0. */
export function sqlTimestamp(micros: number): string {
  const { year } = civilFromDays(Math.floor(micros / MICROS_PER_DAY));
  if (year > 0) return formatTimestamp(micros);
  return `${formatTimestamp(micros).replace(/^-?\d{4,}/, pad(1 - year, 4))} BC`;
}

/** The inverse of `daysFromCivil`. */
function civilFromDays(days: number): { year: number; month: number; day: number } {
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shifted + (shifted < 10 ? 3 : -9);
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return { year, month, day: dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1 };
}
