/**
 * What became of the records, per device and hour of arrival, until it is written: counters in flat arrays by device
 * number, nothing allocated per record. What a kill loses of it is the counting of the last seconds, and no data.
 */
import type { LedgerEntries } from '../storage/ledger-store.js';
import type { WriteResult } from '../storage/telemetry-sink.js';
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import { grown } from './device-table.js';
import type { RefusedRecord } from './prepared-batch.js';
import { checkDeviceId } from './read-record.js';

const MICROS_PER_HOUR = 3600 * 1e6;
const INITIAL_DEVICES = 1024;
/** Hours counted at a time. A backlog of days goes through a few of them in the seconds between two writings. */
const MAX_HOURS = 48;
/** A third party may write any time of arrival into its messages. None waits longer than this, and none is from tomorrow. */
const LONGEST_WAIT_HOURS = 90 * 24;
/** Ids that refused records name, between two writings; those of further ones count as not known. */
const MAX_NAMED = 1000;
/** Under which records count whose device is not known. */
const UNKNOWN_DEVICE = '';

interface Named {
  deadLettered: number;
  rejected: number;
}

export class LossLedger {
  readonly #nowUs: () => number;
  readonly #ids: string[] = [];
  readonly #hours = new Map<number, HourCounts>();
  /** The page that was written to last: nearly always the next one too. */
  #current: HourCounts;
  #named = 0;

  /** @param nowUs the clock, epoch microseconds: the hour of records of which nobody says when they arrived */
  constructor(nowUs: () => number) {
    this.#nowUs = nowUs;
    this.#current = this.#open(Math.floor(nowUs() / MICROS_PER_HOUR));
  }

  /**
   * Counts a settled batch, whose rows have device numbers.
   * @param unread what was refused before it became a row of the batch; `written.refused` says which rows were refused
   */
  settled(batch: ReadingBatch, written: WriteResult, unread: readonly RefusedRecord[]): void {
    const { length, device, deviceId, receivedUs, timestampUs } = batch;
    const writing = this.#hourOf(length === 0 ? this.#nowUs() : written.ingestionUs);
    for (let row = 0; row < length; row++) {
      const hour = this.#hourOf(receivedUs[row] as number);
      const number = device[row] as number;
      this.#ids[number] ??= deviceId[row] as string;
      hour.count(number, timestampUs[row] as number);
      writing.countWritten(number);
    }
    for (const row of written.mergedRows) this.#move(batch, row, writing, 'merged');
    for (const row of written.duplicateRows) this.#move(batch, row, writing, 'duplicate');
    for (const { row } of written.refused) this.#move(batch, row, writing, 'deadLettered');
    for (const { failure, records, receivedUs: arrivedUs } of unread)
      this.#nameIn(this.#hourOf(arrivedUs ?? this.#nowUs()), failure.deviceId).deadLettered += records;
  }

  /** Counts records that were refused at once. @param deviceId as the record says it; '' where it says none */
  rejected(deviceId: string, records: number, receivedUs: number): void {
    this.#nameIn(this.#hourOf(receivedUs), deviceId).rejected += records;
  }

  #move(batch: ReadingBatch, row: number, writing: HourCounts, to: 'merged' | 'duplicate' | 'deadLettered'): void {
    const hour = this.#hourOf(batch.receivedUs[row] as number);
    const number = batch.device[row] as number;
    writing.written[number] = (writing.written[number] as number) - 1;
    hour.stored[number] = (hour.stored[number] as number) - 1;
    hour[to][number] = (hour[to][number] as number) + 1;
  }

  #nameIn(hour: HourCounts, deviceId: string | null): Named {
    let name = deviceId === null || checkDeviceId(deviceId) !== undefined ? UNKNOWN_DEVICE : deviceId;
    if (name !== UNKNOWN_DEVICE && !hour.named.has(name) && this.#named++ >= MAX_NAMED) name = UNKNOWN_DEVICE;
    let named = hour.named.get(name);
    if (named === undefined) hour.named.set(name, (named = { deadLettered: 0, rejected: 0 }));
    return named;
  }

  #hourOf(receivedUs: number): HourCounts {
    if (receivedUs >= this.#current.fromUs && receivedUs < this.#current.toUs) return this.#current;
    const now = Math.floor(this.#nowUs() / MICROS_PER_HOUR);
    let hour = Math.floor(receivedUs / MICROS_PER_HOUR);
    if (!(hour >= now - LONGEST_WAIT_HOURS && hour <= now + 24)) hour = now;
    const known = this.#hours.get(hour);
    if (known !== undefined) this.#current = known;
    else if (this.#hours.size < MAX_HOURS) this.#current = this.#open(hour);
    return this.#current;
  }

  #open(hour: number): HourCounts {
    const opened = new HourCounts(hour);
    this.#hours.set(hour, opened);
    return opened;
  }

  /** Takes the counts of at most so many devices; undefined when there are none. They are the caller's to write. */
  take(maxEntries: number): LedgerEntries | undefined {
    const entries = emptyEntries();
    for (const hour of this.#hours.values()) {
      hour.drain(entries, maxEntries, this.#ids);
      if (entries.hours.length >= maxEntries) return entries;
    }
    this.#named = 0;
    for (const [hour, counts] of this.#hours) if (counts !== this.#current) this.#hours.delete(hour);
    return entries.hours.length > 0 ? entries : undefined;
  }
}

/** The counters of one hour. */
class HourCounts {
  readonly hour: number;
  readonly fromUs: number;
  readonly toUs: number;
  stored = new Int32Array(INITIAL_DEVICES);
  merged = new Int32Array(INITIAL_DEVICES);
  duplicate = new Int32Array(INITIAL_DEVICES);
  deadLettered = new Int32Array(INITIAL_DEVICES);
  written = new Int32Array(INITIAL_DEVICES);
  #firstUs = new Float64Array(INITIAL_DEVICES).fill(Number.POSITIVE_INFINITY);
  #lastUs = new Float64Array(INITIAL_DEVICES).fill(Number.NEGATIVE_INFINITY);
  #isTouched = new Uint8Array(INITIAL_DEVICES);
  /** Devices that have counts. */
  #touched: number[] = [];
  /** Where only a name is known. */
  readonly named = new Map<string, Named>();

  constructor(hour: number) {
    this.hour = hour;
    this.fromUs = hour * MICROS_PER_HOUR;
    this.toUs = this.fromUs + MICROS_PER_HOUR;
  }

  /** Counts a record as stored. */
  count(device: number, timestampUs: number): void {
    if (this.#isTouched[device] !== 1) this.#touch(device);
    this.stored[device] = (this.stored[device] as number) + 1;
    if (timestampUs < (this.#firstUs[device] as number)) this.#firstUs[device] = timestampUs;
    if (timestampUs > (this.#lastUs[device] as number)) this.#lastUs[device] = timestampUs;
  }

  countWritten(device: number): void {
    if (this.#isTouched[device] !== 1) this.#touch(device);
    this.written[device] = (this.written[device] as number) + 1;
  }

  #touch(device: number): void {
    if (device >= this.stored.length) this.#grow(Math.max(device + 1, this.stored.length * 2));
    this.#isTouched[device] = 1;
    this.#touched.push(device);
  }

  drain(entries: LedgerEntries, maxEntries: number, ids: readonly string[]): void {
    for (const [name, { deadLettered, rejected }] of this.named) {
      if (entries.hours.length >= maxEntries) return;
      append(entries, name, this.hour, { deadLettered, rejected }, true);
      this.named.delete(name);
    }
    while (entries.hours.length < maxEntries) {
      const device = this.#touched.pop();
      if (device === undefined) return;
      const columns = [this.stored, this.merged, this.duplicate, this.deadLettered, this.written] as const;
      const [stored, merged, duplicate, deadLettered, written] = columns.map((column) => column[device] as number);
      const id = ids[device] as string;
      append(entries, id, this.hour, { stored, merged, duplicate, deadLettered, written }, false);
      const firstUs = this.#firstUs[device] as number;
      if (firstUs !== Number.POSITIVE_INFINITY) {
        entries.firstUs[entries.firstUs.length - 1] = firstUs;
        entries.lastUs[entries.lastUs.length - 1] = this.#lastUs[device] as number;
      }
      for (const column of columns) column[device] = 0;
      this.#firstUs[device] = Number.POSITIVE_INFINITY;
      this.#lastUs[device] = Number.NEGATIVE_INFINITY;
      this.#isTouched[device] = 0;
    }
  }

  #grow(capacity: number): void {
    const known = this.stored.length;
    this.stored = grown(this.stored, capacity);
    this.merged = grown(this.merged, capacity);
    this.duplicate = grown(this.duplicate, capacity);
    this.deadLettered = grown(this.deadLettered, capacity);
    this.#firstUs = grown(this.#firstUs, capacity).fill(Number.POSITIVE_INFINITY, known);
    this.#lastUs = grown(this.#lastUs, capacity).fill(Number.NEGATIVE_INFINITY, known);
    this.written = grown(this.written, capacity);
    this.#isTouched = grown(this.#isTouched, capacity);
  }
}

const emptyEntries = (): LedgerEntries => ({
  deviceIds: [],
  hours: [],
  stored: [],
  merged: [],
  duplicate: [],
  deadLettered: [],
  rejected: [],
  written: [],
  firstUs: [],
  lastUs: [],
  hearsay: [],
});

const COLUMNS = ['stored', 'merged', 'duplicate', 'deadLettered', 'rejected', 'written'] as const;

function append(
  entries: LedgerEntries,
  deviceId: string,
  hour: number,
  counts: Partial<Record<(typeof COLUMNS)[number], number | undefined>>,
  hearsay: boolean,
): void {
  entries.deviceIds.push(deviceId);
  entries.hours.push(hour);
  for (const column of COLUMNS) entries[column].push(counts[column] ?? 0);
  entries.firstUs.push(null);
  entries.lastUs.push(null);
  entries.hearsay.push(hearsay);
}
