/**
 * One device through the tracker, with what a process needs beside it: which episodes have changed since they were last
 * stored, and which stored one an episode continues after a restart. Pure.
 *
 * A tracker that starts anew is fed older readings first. They are bounded, so that it may see the beginning of something
 * that goes on at another time than its predecessor did: it is still the stored episode.
 */
import { CHANNEL_COUNT } from '../telemetry/channels.js';
import type { Episode, EpisodeOptions } from '../pipeline/episodes/episode.js';
import { EpisodeTracker } from '../pipeline/episodes/episode-tracker.js';
import { StateReader, StateMismatch, StateWriter, type StateFault } from '../pipeline/state-bytes.js';
import type { ReadingBatch } from '../telemetry/reading-batch.js';

/** An episode as it is stored already. Times are epoch microseconds. */
export interface KnownEpisode {
  readonly startUs: number;
  readonly lastUs: number;
  readonly isOpen: boolean;
}

/** What is to be stored: `startUs` is the key, and may be earlier or later than what the tracker saw. */
export interface ChangedEpisode {
  readonly startUs: number;
  readonly episode: Episode;
}

export interface Changes {
  readonly changed: readonly ChangedEpisode[];
  /** Stored as going on, and not to be seen any more by a tracker that has started anew: they ended when last seen. */
  readonly lapsed: readonly KnownEpisode[];
}

export class DeviceEpisodes {
  readonly #tracker: EpisodeTracker;
  readonly #mergeUs: number;
  #open: Episode | undefined;
  #changed = new Map<number, Episode>();
  #known: readonly KnownEpisode[] = [];
  #lapsed: readonly KnownEpisode[] = [];
  /** Time of the record before the one that is being taken. */
  #previousUs = Number.NEGATIVE_INFINITY;
  /** Start as the tracker sees it → as it is stored. */
  readonly #aliases = new Map<number, number>();

  constructor(options: EpisodeOptions) {
    this.#tracker = new EpisodeTracker(options);
    this.#mergeUs = options.mergeSeconds * 1e6;
  }

  /** Takes row `row` of a batch: the next one of the device. */
  add(batch: ReadingBatch, row: number): void {
    const before = this.#open;
    const over = this.#tracker.add(batch, row);
    const now = this.#tracker.open;
    this.#open = now;
    if (before !== undefined && before !== now) this.#touch(before);
    if (over !== undefined) this.#touch(over);
    if (now !== undefined) this.#touch(now);
    this.#previousUs = batch.timestampUs[row] as number;
  }

  /**
   * Ends the older readings: what was found in them is stored already. Where state was restored, called before the readings
   * between that and the watermark: what is found in those is the same as what is stored.
   * @param known the last stored episodes of the device
   * @param resumedUs time of the last of those readings
   */
  resume(known: readonly KnownEpisode[], resumedUs: number): void {
    this.#changed.clear();
    this.#aliases.clear();
    this.#known = known;
    this.#previousUs = Math.max(this.#previousUs, resumedUs);
    const seenUs = this.#open === undefined ? undefined : this.#storedStart(this.#open);
    this.#lapsed = known.filter(({ isOpen, startUs }) => isOpen && startUs !== seenUs);
  }

  /** What has changed since the last call. */
  take(): Changes {
    const changes = {
      changed: [...this.#changed].map(([startUs, episode]) => ({ startUs, episode })),
      lapsed: this.#lapsed.filter(({ startUs }) => !this.#changed.has(startUs)),
    };
    this.#changed = new Map();
    this.#lapsed = [];
    return changes;
  }

  /** Everything that it knows, to go on from there; to be called after `take`, when nothing is left to be stored. */
  save(): Uint8Array {
    const writer = new StateWriter();
    writer.count(CHANNEL_COUNT);
    this.#tracker.save(writer);
    writer.number(this.#previousUs);
    writer.numbers(this.#known.flatMap(({ startUs, lastUs, isOpen }) => [startUs, lastUs, isOpen ? 1 : 0]));
    writer.numbers([...this.#aliases].flat());
    return writer.finish(STATE_VERSION);
  }

  /** A new one that goes on where another was saved; or why that cannot be. */
  static restored(options: EpisodeOptions, saved: Uint8Array): DeviceEpisodes | StateFault {
    const reader = StateReader.open(saved, STATE_VERSION);
    if (typeof reader === 'string') return reader;
    const device = new DeviceEpisodes(options);
    try {
      if (reader.count() !== CHANNEL_COUNT) return 'version';
      device.#restore(reader);
    } catch (error) {
      // Bytes that are what was written, and not what this version would have written.
      if (!(error instanceof StateMismatch)) throw error;
      return 'version';
    }
    return device;
  }

  #restore(reader: StateReader): void {
    this.#tracker.restore(reader);
    this.#open = this.#tracker.open;
    this.#previousUs = reader.number();
    const known = reader.numbers();
    this.#known = Array.from({ length: known.length / 3 }, (_, at) => ({
      startUs: known[3 * at] as number,
      lastUs: known[3 * at + 1] as number,
      isOpen: known[3 * at + 2] === 1,
    }));
    const aliases = reader.numbers();
    for (let at = 0; at < aliases.length; at += 2) this.#aliases.set(aliases[at] as number, aliases[at + 1] as number);
    reader.end();
  }

  #touch(episode: Episode): void {
    this.#changed.set(this.#storedStart(episode), episode);
  }

  #storedStart(episode: Episode): number {
    const alias = this.#aliases.get(episode.startUs);
    if (alias !== undefined) return alias;
    const stored = this.#known.find(({ startUs }) => startUs === episode.startUs);
    const startUs = (stored ?? this.#known.find((known) => this.#isContinued(known, episode)))?.startUs;
    this.#aliases.set(episode.startUs, startUs ?? episode.startUs);
    // An episode more is a rare thing; the map must not grow for ever all the same.
    if (this.#aliases.size > MOST_ALIASES) this.#aliases.delete(this.#aliases.keys().next().value as number);
    return startUs ?? episode.startUs;
  }

  /** A tracker that was never stopped begins nothing before the end of its last one, and continues what has just ended. */
  #isContinued(known: KnownEpisode, { startUs, endUs }: Episode): boolean {
    if (startUs < known.lastUs && endUs >= known.startUs) return true;
    // The end of one that this tracker has seen itself is not what was stored of it when it was still going on.
    if ([...this.#aliases.values()].includes(known.startUs)) return false;
    // What is found later than that is another one, even if it began at once.
    const couldGoOn = known.isOpen || this.#previousUs - known.lastUs <= this.#mergeUs;
    return couldGoOn && startUs >= known.startUs && startUs - known.lastUs <= this.#mergeUs;
  }
}

const MOST_ALIASES = 100;
/** Of the saved state: a change of what is saved, or of what it means, is another one. */
const STATE_VERSION = 4;
