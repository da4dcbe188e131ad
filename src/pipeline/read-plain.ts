/**
 * The short way from the bytes of a message to the rows of a batch, for messages such as gateways send: JSON objects of
 * known channels in canonical units, plain texts, decimal numbers, times in UTC. No text is decoded, nothing is parsed into
 * objects, and nothing is left behind for the garbage collector.
 *
 * It never judges: whatever is not plain (escapes, units, unknown or repeated fields, offsets of a zone, values out of
 * range, anything that is no JSON …) is left to `readBody` and `readRecord`, which also find the reason for a refusal. What
 * it does read, it reads as they do; tests/unit/read-plain.test.ts holds it to that, byte by byte.
 */
import { CHANNEL_COUNT, CHANNELS } from '../telemetry/channels.js';
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import { TextPool } from '../telemetry/text-pool.js';
import { MICROS_PER_SECOND, parseTimestamp } from '../telemetry/timestamp.js';
import type { BodyType } from './read-body.js';
import { MAX_DEVICE_ID_LENGTH, MAX_FUTURE_US, MAX_SOURCE_LENGTH, type RecordContext } from './read-record.js';

/** The message has something that is not plain. */
export const NOT_PLAIN = -1;

const TAB = 9;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const SPACE = 32;
const QUOTE = 34;
const COMMA = 44;
const MINUS = 45;
const POINT = 46;
const ZERO = 48;
const COLON = 58;
const LETTER_T = 84;
const LETTER_Z = 90;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const CLOSE_BRACKET = 93;
const LETTER_N = 110;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
const LAST_PRINTABLE = 126;

/** The fields of a plain record: the channels by their catalogue position, and these. */
const DEVICE_ID = CHANNEL_COUNT;
const TIMESTAMP = CHANNEL_COUNT + 1;
const SOURCE_SYSTEM = CHANNEL_COUNT + 2;
const REQUIRED = (1 << DEVICE_ID) | (1 << TIMESTAMP);
const FIELDS = [...CHANNELS.map(({ name }) => name), 'device_id', 'timestamp', 'source_system'];
/** The names with the quote behind them: at least four bytes each. */
const NAMES = FIELDS.map((name) => Buffer.from(`${name}"`, 'latin1'));
const WORD = 4;
/** Each name as words of four bytes, one behind the other; the last one overlaps where the length is no multiple. */
const WORDS = NAMES.map((name) =>
  Int32Array.from({ length: Math.ceil(name.length / WORD) }, (_, word) =>
    name.readInt32BE(Math.min(word * WORD, name.length - WORD)),
  ),
);
const LAST_WORD = NAMES.map((name) => name.length - WORD);
const NULL = Buffer.from('null', 'latin1').readInt32BE(0);

/** A value between these is stored as it is. Below zero a channel without negative values has an offset, or a fault. */
const LOWEST = Float64Array.from(CHANNELS, ({ minimum, zeroTolerance }) => (zeroTolerance > 0 ? 0 : minimum));
const HIGHEST = Float64Array.from(CHANNELS, ({ maximum }) => maximum);

/** So many digits and such powers of ten are exact as doubles: their quotient is the nearest double, as JSON.parse has it. */
const MAX_DIGITS = 15;
const POWERS_OF_TEN = Float64Array.from({ length: MAX_DIGITS + 1 }, (_, power) => 10 ** power);
/** `2026-11-23T18:22:08`, and the most digits behind its point. */
const DATE_LENGTH = 10;
const TIME_LENGTH = 19;
const MAX_SECOND_DIGITS = 6;

/** Reads messages one after the other; one reader serves one thread. */
export class PlainReader {
  readonly #texts = new TextPool();
  /** The field that followed each field last time: records of a sender have their fields in the same order. */
  readonly #follower = new Int8Array(FIELDS.length + 1);
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  #at = 0;
  /** Whether a line feed is white space, or ends the record. */
  #hasLines = false;
  /** The date met last, `20261123`, and when that day begins, epoch microseconds. */
  #date = -1;
  #dayUs = 0;

  /**
   * Appends the records of a body to `batch`, as `readBody` and `readRecord` would.
   * @returns how many there are, at least one; or NOT_PLAIN, and the batch is as it was
   */
  read(body: Uint8Array, type: BodyType, context: RecordContext, batch: ReadingBatch): number {
    if (context.units !== undefined || context.deviceId !== undefined) return NOT_PLAIN;
    this.#bytes = body;
    this.#view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    this.#at = 0;
    this.#hasLines = type === 'application/x-ndjson';
    const before = batch.length;
    if (this.#hasLines ? this.#lines(context, batch) : this.#whole(context, batch)) return batch.length - before;
    batch.retract(batch.length - before);
    return NOT_PLAIN;
  }

  /** A record, or an array of them. */
  #whole(context: RecordContext, batch: ReadingBatch): boolean {
    this.#skipSpace();
    if (this.#bytes[this.#at] !== OPEN_BRACKET) return this.#record(context, batch) && this.#isEnd();
    do {
      this.#at++;
      this.#skipSpace();
      if (!this.#record(context, batch)) return false;
      this.#skipSpace();
    } while (this.#bytes[this.#at] === COMMA);
    return this.#bytes[this.#at++] === CLOSE_BRACKET && this.#isEnd();
  }

  #lines(context: RecordContext, batch: ReadingBatch): boolean {
    const before = batch.length;
    const { length } = this.#bytes;
    for (; this.#at < length; this.#at++) {
      this.#skipSpace();
      if (this.#at === length) break;
      if (this.#bytes[this.#at] === LINE_FEED) continue;
      if (!this.#record(context, batch)) return false;
      this.#skipSpace();
      if (this.#at < length && this.#bytes[this.#at] !== LINE_FEED) return false;
    }
    return batch.length > before;
  }

  #isEnd(): boolean {
    this.#skipSpace();
    return this.#at === this.#bytes.length;
  }

  #record(context: RecordContext, batch: ReadingBatch): boolean {
    const bytes = this.#bytes;
    if (bytes[this.#at] !== OPEN_BRACE) return false;
    if (batch.length === batch.capacity) batch.reserve(1);
    const row = batch.open();
    batch.receivedUs[row] = context.receivedUs;
    batch.sourceSystem[row] = context.sourceSystem;
    let seen = 0;
    let field = FIELDS.length; // before the first
    do {
      this.#at++;
      this.#skipSpace();
      field = this.#field(field);
      if (field < 0 || (seen & (1 << field)) !== 0) return false;
      seen |= 1 << field;
      this.#skipSpace();
      if (bytes[this.#at++] !== COLON) return false;
      this.#skipSpace();
      if (!this.#value(field, batch, row)) return false;
      this.#skipSpace();
    } while (bytes[this.#at] === COMMA);
    if (bytes[this.#at++] !== CLOSE_BRACE || (seen & REQUIRED) !== REQUIRED) return false;
    return (batch.timestampUs[row] as number) <= context.receivedUs + MAX_FUTURE_US;
  }

  #value(field: number, batch: ReadingBatch, row: number): boolean {
    if (field < CHANNEL_COUNT) return this.#channel(field, batch, row);
    if (field === TIMESTAMP) return this.#timestamp(batch, row);
    const text = this.#text(field === SOURCE_SYSTEM ? MAX_SOURCE_LENGTH : MAX_DEVICE_ID_LENGTH);
    if (text === undefined) return false;
    if (field === SOURCE_SYSTEM) batch.sourceSystem[row] = text;
    else if (text === '') return false;
    else batch.deviceId[row] = text;
    return true;
  }

  /** The field whose name stands here, −1 if it has none. */
  #field(previous: number): number {
    if (this.#bytes[this.#at] !== QUOTE) return -1;
    const expected = this.#follower[previous] as number;
    return this.#passes(expected) ? expected : this.#unexpected(previous);
  }

  #unexpected(previous: number): number {
    const field = NAMES.findIndex((_, candidate) => this.#passes(candidate));
    if (field >= 0) this.#follower[previous] = field;
    return field;
  }

  /** Goes behind the name of this field if it stands here. */
  #passes(field: number): boolean {
    const view = this.#view;
    const from = this.#at + 1;
    const lastWord = from + (LAST_WORD[field] as number);
    if (lastWord + WORD > view.byteLength) return false;
    const words = WORDS[field] as Int32Array;
    const last = words.length - 1;
    for (let word = 0; word < last; word++) if (view.getInt32(from + word * WORD) !== words[word]) return false;
    if (view.getInt32(lastWord) !== words[last]) return false;
    this.#at = lastWord + WORD;
    return true;
  }

  /** A number within the bounds of the channel, or null. */
  #channel(field: number, batch: ReadingBatch, row: number): boolean {
    const bytes = this.#bytes;
    let at = this.#at;
    if (bytes[at] === LETTER_N) {
      this.#at += WORD;
      return at + WORD <= bytes.length && this.#view.getInt32(at) === NULL;
    }
    const isNegative = bytes[at] === MINUS;
    if (isNegative) at++;
    const first = at;
    let mantissa = 0;
    let digit = (bytes[at] as number) - ZERO;
    if (digit === 0)
      digit = (bytes[++at] as number) - ZERO; // no digit of the whole number follows a leading zero
    else for (; digit >= 0 && digit <= 9; digit = (bytes[++at] as number) - ZERO) mantissa = mantissa * 10 + digit;
    if (at === first) return false;
    let digits = at - first;
    let decimals = 0;
    if (bytes[at] === POINT) {
      const point = at++;
      digit = (bytes[at] as number) - ZERO;
      for (; digit >= 0 && digit <= 9; digit = (bytes[++at] as number) - ZERO) mantissa = mantissa * 10 + digit;
      decimals = at - point - 1;
      if (decimals === 0) return false;
      digits += decimals;
    }
    if (digits > MAX_DIGITS) return false;
    this.#at = at;
    const value = ((isNegative ? -1 : 1) * mantissa) / (POWERS_OF_TEN[decimals] as number) + 0; // −0 becomes 0
    if (!(value >= (LOWEST[field] as number) && value <= (HIGHEST[field] as number))) return false;
    batch.values[row * CHANNEL_COUNT + field] = value;
    return true;
  }

  /** `"2026-11-23T18:22:08.672341Z"`; the fraction may be absent or shorter. */
  #timestamp(batch: ReadingBatch, row: number): boolean {
    const bytes = this.#bytes;
    const start = this.#at + 1;
    if (bytes[start - 1] !== QUOTE || bytes[start + DATE_LENGTH] !== LETTER_T) return false;
    const hour = this.#two(start + 11);
    const minute = this.#two(start + 14);
    const second = this.#two(start + 17);
    if (bytes[start + 13] !== COLON || bytes[start + 16] !== COLON) return false;
    if (!(hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second < 60)) return false;
    if (!this.#findDay(start)) return false;
    let at = start + TIME_LENGTH;
    let micros = 0;
    if (bytes[at] === POINT) {
      const point = at++;
      let digit = (bytes[at] as number) - ZERO;
      for (; digit >= 0 && digit <= 9; digit = (bytes[++at] as number) - ZERO) micros = micros * 10 + digit;
      const decimals = at - point - 1;
      if (decimals === 0 || decimals > MAX_SECOND_DIGITS) return false;
      micros *= POWERS_OF_TEN[MAX_SECOND_DIGITS - decimals] as number;
    }
    if (bytes[at] !== LETTER_Z || bytes[at + 1] !== QUOTE) return false;
    this.#at = at + 2;
    batch.timestampUs[row] = this.#dayUs + ((hour * 60 + minute) * 60 + second) * MICROS_PER_SECOND + micros;
    return true;
  }

  /** The number that two digits make; negative, NaN or above 99 if they are none. */
  #two(at: number): number {
    const tens = (this.#bytes[at] as number) - ZERO;
    const ones = (this.#bytes[at + 1] as number) - ZERO;
    return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -1;
  }

  /** Looks up when the day of a date begins, unless it is that of the record before. */
  #findDay(from: number): boolean {
    const bytes = this.#bytes;
    const century = this.#two(from);
    const year = this.#two(from + 2);
    const month = this.#two(from + 5);
    const day = this.#two(from + 8);
    if (century < 0 || year < 0 || month < 0 || day < 0) return false;
    if (bytes[from + 4] !== MINUS || bytes[from + 7] !== MINUS) return false;
    const date = ((century * 100 + year) * 100 + month) * 100 + day;
    if (date === this.#date) return true;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + from, DATE_LENGTH).toString('latin1');
    const midnight = parseTimestamp(`${text}T00:00Z`);
    if (typeof midnight !== 'number') return false;
    this.#date = date;
    this.#dayUs = midnight;
    return true;
  }

  /** A text of printable ASCII characters; undefined if it is anything else, or longer. */
  #text(maxLength: number): string | undefined {
    const bytes = this.#bytes;
    const start = this.#at + 1;
    if (bytes[start - 1] !== QUOTE) return undefined;
    let at = start;
    for (let byte = bytes[at] as number; byte !== QUOTE; byte = bytes[++at] as number)
      if (!(byte >= SPACE && byte <= LAST_PRINTABLE && byte !== BACKSLASH)) return undefined;
    if (at - start > maxLength) return undefined;
    this.#at = at + 1;
    return this.#texts.find(bytes, start, at);
  }

  #skipSpace(): void {
    const bytes = this.#bytes;
    for (;;) {
      const byte = bytes[this.#at] as number;
      if (byte > SPACE) return;
      if (byte !== SPACE && byte !== TAB && byte !== CARRIAGE_RETURN && (byte !== LINE_FEED || this.#hasLines)) return;
      this.#at++;
    }
  }
}
