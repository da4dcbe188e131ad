/**
 * The small curve beside each well, for the whole fleet at once and from the aggregates only.
 *
 * Six hours of a thousand wells are 360 000 one-minute rows: too many for one statement on a connection that also
 * takes the writes, and again every half minute. So the past is read once, in slices, and kept; afterwards only what
 * is newer. From time to time everything is read anew, for what arrived late.
 */
import { channel, type ChannelName } from '../telemetry/channels.js';
import type { Database } from '../storage/database.js';
import type { Sparkline } from './api-schemas.js';
import type { LevelCatalogue, SeriesLevel } from './series-levels.js';

/** Points of a sparkline: it is about as many pixels wide as this times two. */
const SPARKLINE_POINTS = 36;
/** Beyond this many hours the hourly level answers: it has a sixtieth of the rows. */
const ONE_MINUTE_LEVEL_HOURS = 24;
/** Buckets of the level that one statement reads, per device, and as many more as make whole bins. */
const SLICE_BUCKETS = 60;
const ANEW_AFTER_SECONDS = 900;

interface BinRow extends Record<string, unknown> {
  device_id: string;
  slot: number;
  mean: number | null;
}

/** Mean by start of the bin, epoch seconds, for each device. */
type Bins = Map<string, Map<number, number | null>>;

export class Sparklines {
  readonly #database: Database;
  readonly #channel: ChannelName;
  readonly #hours: number;
  #bins: Bins = new Map();
  /** Start of the first bin that has to be read again, epoch seconds. */
  #readTo = 0;
  #anewAt = 0;

  constructor(database: Database, channelName: ChannelName, hours: number) {
    this.#database = database;
    this.#channel = channelName;
    this.#hours = hours;
  }

  /** Sparklines by device up to now; empty where the database has no aggregates. Not to be called while a call is under way. */
  async read(levels: LevelCatalogue, nowSeconds: number): Promise<ReadonlyMap<string, Sparkline>> {
    const level = levels.get(this.#hours <= ONE_MINUTE_LEVEL_HOURS ? '1min' : '1hour');
    if (level?.bucketSeconds == null) return new Map();
    const rangeSeconds = this.#hours * 3600;
    const width = Math.ceil(rangeSeconds / SPARKLINE_POINTS / level.bucketSeconds) * level.bucketSeconds;
    const begin = Math.floor((nowSeconds - rangeSeconds) / width) * width;
    // Also after a clock was set back: nothing would be read until it comes by here again.
    const anew = nowSeconds >= this.#anewAt || nowSeconds < this.#readTo;
    // Whole bins: of one that two slices share, each would take its part for all of it.
    const slice = Math.ceil((SLICE_BUCKETS * level.bucketSeconds) / width) * width;
    const bins: Bins = anew ? new Map() : this.#bins;
    for (let from = anew ? begin : Math.max(begin, this.#readTo); from <= nowSeconds; from += slice)
      await this.#readSlice(level, bins, width, from, from + slice);
    for (const slots of bins.values()) for (const slot of slots.keys()) if (slot < begin) slots.delete(slot);
    this.#bins = bins;
    // The bin before the open one may still get the last rows of a batch.
    this.#readTo = Math.floor(nowSeconds / width) * width - width;
    if (anew) this.#anewAt = nowSeconds + ANEW_AFTER_SECONDS;
    return new Map([...bins].flatMap(([id, slots]) => (slots.size === 0 ? [] : [[id, this.#sparkline(slots, width)]])));
  }

  async #readSlice(level: SeriesLevel, bins: Bins, width: number, from: number, to: number): Promise<void> {
    const rows = await this.#database.query<BinRow>(
      `SELECT device_id, slot::float8 AS slot, avg(mean)::real AS mean
       FROM (
         SELECT device_id, ${channel(this.#channel).stem}_avg AS mean,
           extract(epoch FROM date_bin(make_interval(secs => $1), bucket, 'epoch')) AS slot
         FROM ${level.table} WHERE bucket >= to_timestamp($2) AND bucket < to_timestamp($3)
       ) binned
       GROUP BY device_id, slot`,
      [width, from, to],
    );
    for (const { device_id, slot, mean } of rows) {
      let slots = bins.get(device_id);
      if (slots === undefined) bins.set(device_id, (slots = new Map<number, number | null>()));
      slots.set(slot, mean);
    }
  }

  /** Bins in the order of time, the empty ones between them as null: a gap is shown as one. */
  #sparkline(slots: ReadonlyMap<number, number | null>, width: number): Sparkline {
    const timestamps: number[] = [];
    const values: (number | null)[] = [];
    const known = [...slots.keys()];
    const last = Math.max(...known);
    for (let slot = Math.min(...known); slot <= last; slot += width) {
      timestamps.push(slot);
      values.push(slots.get(slot) ?? null);
    }
    return { channel: this.#channel, timestamps, values };
  }
}
