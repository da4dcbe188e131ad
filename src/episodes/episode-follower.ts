/**
 * Goes through the stored readings of the whole fleet, device by device in time order, and keeps their episodes.
 *
 * Each slice is a query over many devices and a transaction with what was found, how far it came, and now and then what is known
 * of a device: killed anywhere, the next run begins where the last commit ended, and knows what this one knew. What another process
 * has done meanwhile is seen by its watermarks.
 */
import type { EpisodeOptions } from '../pipeline/episodes/episode.js';
import type { Database } from '../storage/database.js';
import { MICROS_PER_SECOND } from '../telemetry/timestamp.js';
import {
  endLapsed,
  type EpisodeToStore,
  type EpisodeTurn,
  type Judge,
  storeEpisodes,
  storeWatermarks,
} from './episode-store.js';
import { type DueDevice, readDueDevices } from './due-devices.js';
import { type FollowedDevice, loadTrackers, type UnusableState } from './load-trackers.js';
import { readStretches } from './reading-rows.js';
import { MOST_STATE_BYTES, type SavedTracker, storeTrackers } from './state-store.js';

export interface EpisodeSettings extends EpisodeOptions, Judge {
  /** Readings younger than this are left alone: gauge and drive of an instant may come one after the other. */
  readonly settleSeconds: number;
  /** How much of the past of a device is looked through that was never looked at before. */
  readonly lookBackHours: number;
  /** Devices whose trackers are kept in memory. */
  readonly maxDevices: number;
  /** A tracker is saved when it is this much ahead of what was saved: so much is read again after a restart. */
  readonly saveSeconds: number;
}

/** What the follower needs of a job's run. */
export interface FollowerRun {
  readonly database: Database;
  readonly nowSeconds: number;
  shouldYield(): boolean;
  slice<T>(work: () => Promise<T>): Promise<T>;
}

export interface FollowerOutcome {
  readonly devices: number;
  readonly readings: number;
  readonly turns: readonly EpisodeTurn[];
  readonly unusable: readonly UnusableStates[];
  /** There are readings left. */
  readonly more: boolean;
}

/** Devices about which more was known once, and one of them. */
export interface UnusableStates {
  readonly reason: UnusableState['reason'];
  readonly devices: number;
  readonly device: string;
}

const DEVICES_A_SLICE = 500;
const READINGS_A_SLICE = 40_000;
/** Each of them may have to be fed some thousand older readings. */
const NEW_DEVICES_A_SLICE = 10;
/** Trackers saved in a transaction, some 0.1 MB each: those that were saved longest ago. The others' turn comes next time. */
const SAVED_A_SLICE = 20;

interface PageDevice {
  readonly deviceId: string;
  readonly device: FollowedDevice;
}

type ToSave = PageDevice & SavedTracker;

interface Page {
  readonly readings: number;
  readonly turns: readonly EpisodeTurn[];
  readonly more: boolean;
}

export class EpisodeFollower {
  readonly #settings: EpisodeSettings;
  /** Those that reported last stand last. */
  readonly #followed = new Map<string, FollowedDevice>();
  /** Where the next run goes on. */
  #after = '';

  constructor(settings: EpisodeSettings) {
    this.#settings = settings;
  }

  /** One pass over the devices with new readings, or as much of it as there is time for. @throws OperationalError of the database */
  async run({ database, nowSeconds, slice, shouldYield }: FollowerRun): Promise<FollowerOutcome> {
    const untilUs = (nowSeconds - this.#settings.settleSeconds) * MICROS_PER_SECOND;
    const due = await slice(() => readDueDevices(database, untilUs));
    for (const { deviceId, reachedUs } of due)
      // Never looked at, or looked at by another process since.
      if (this.#followed.get(deviceId)?.reachedUs !== reachedUs) this.#followed.delete(deviceId);
    const outcome = {
      devices: 0,
      readings: 0,
      turns: [] as EpisodeTurn[],
      unusable: [] as UnusableStates[],
      more: false,
    };
    // Whose tracker is there comes first: after a restart the present does not wait for the past of the others.
    const isReady = ({ deviceId, reachedUs }: DueDevice): boolean => reachedUs === null || this.#followed.has(deviceId);
    const pages = [
      ...pagesOf(this.#inTurn(due.filter(isReady)), DEVICES_A_SLICE),
      ...pagesOf(
        due.filter((device) => !isReady(device)),
        NEW_DEVICES_A_SLICE,
      ),
    ];
    for (const page of pages) {
      if (shouldYield()) return { ...outcome, more: true };
      const done = await slice(() => this.#followPage(database, page, untilUs, outcome.unusable));
      outcome.devices += page.length;
      outcome.readings += done.readings;
      outcome.turns.push(...done.turns);
      outcome.more ||= done.more;
      this.#after = page.at(-1)?.deviceId ?? '';
    }
    this.#after = '';
    return outcome;
  }

  /** A fleet that takes more than a run is begun where the last run ended. */
  #inTurn(devices: DueDevice[]): DueDevice[] {
    const at = devices.findIndex(({ deviceId }) => deviceId > this.#after);
    return at <= 0 ? devices : [...devices.slice(at), ...devices.slice(0, at)];
  }

  async #followPage(
    database: Database,
    page: readonly DueDevice[],
    untilUs: number,
    unusable: UnusableStates[],
  ): Promise<Page> {
    try {
      const missing = page.filter(({ deviceId }) => !this.#followed.has(deviceId));
      if (missing.length > 0) {
        const loaded = await loadTrackers(database, missing, this.#settings);
        for (const [deviceId, device] of loaded.followed) this.#followed.set(deviceId, device);
        for (const state of loaded.unusable) count(unusable, state);
      }
      return await this.#lookThrough(database, page, untilUs);
    } catch (error) {
      // The trackers have gone on, the watermarks have not: next time they are loaded anew.
      for (const { deviceId } of page) this.#followed.delete(deviceId);
      throw error;
    }
  }

  async #lookThrough(database: Database, page: readonly DueDevice[], untilUs: number): Promise<Page> {
    const followed = page.map((due) => ({ ...due, device: this.#followed.get(due.deviceId) as FollowedDevice }));
    const limit = Math.floor(READINGS_A_SLICE / page.length);
    const stretches = followed.map(({ deviceId, device }) => ({ deviceId, afterUs: device.reachedUs, untilUs }));
    const batch = await readStretches(database, stretches, 'oldest', limit);
    const counts = new Map<string, number>();
    const reached = new Map<string, number>();
    for (let row = 0; row < batch.length; row++) {
      const deviceId = batch.deviceId[row] as string;
      (this.#followed.get(deviceId) as FollowedDevice).episodes.add(batch, row);
      reached.set(deviceId, batch.timestampUs[row] as number);
      counts.set(deviceId, (counts.get(deviceId) ?? 0) + 1);
    }
    let more = false;
    for (const { deviceId, newestUs } of followed) {
      const hasAll = (counts.get(deviceId) ?? 0) < limit;
      more ||= !hasAll;
      // Where the newest readings count for nothing (they came late), they need not be looked for again.
      if (hasAll && newestUs <= untilUs) reached.set(deviceId, Math.max(reached.get(deviceId) ?? newestUs, newestUs));
    }
    const turns = await this.#store(database, followed, reached);
    for (const [deviceId, reachedUs] of reached) this.#note(deviceId, reachedUs, counts.get(deviceId) ?? 0);
    this.#forgetOldest();
    return { readings: batch.length, turns, more };
  }

  async #store(
    database: Database,
    followed: readonly PageDevice[],
    reached: ReadonlyMap<string, number>,
  ): Promise<EpisodeTurn[]> {
    const changed: EpisodeToStore[] = [];
    const lapsed: { deviceId: string; startUs: number }[] = [];
    for (const { deviceId, device } of followed) {
      const changes = device.episodes.take();
      for (const { startUs, episode } of changes.changed) changed.push({ deviceId, startUs, episode });
      for (const { startUs } of changes.lapsed) lapsed.push({ deviceId, startUs });
    }
    if (reached.size === 0 && changed.length === 0 && lapsed.length === 0) return [];
    const saved = this.#toSave(followed, reached);
    const turns = await database.transaction(async (session) => {
      const ended = await endLapsed(session, lapsed);
      const turned = await storeEpisodes(session, changed, this.#settings);
      await storeWatermarks(session, reached);
      await storeTrackers(session, saved);
      return [...ended, ...turned];
    });
    for (const { device, reachedUs } of saved) device.savedUs = reachedUs;
    return turns;
  }

  /** The trackers that are to be saved with what was found. */
  #toSave(followed: readonly PageDevice[], reached: ReadonlyMap<string, number>): ToSave[] {
    const aheadUs = this.#settings.saveSeconds * MICROS_PER_SECOND;
    return followed
      .map(({ deviceId, device }) => ({ deviceId, device, reachedUs: reached.get(deviceId) ?? device.reachedUs }))
      .filter(({ device, reachedUs }) => reachedUs - device.savedUs >= aheadUs)
      .toSorted((a, b) => a.device.savedUs - b.device.savedUs)
      .slice(0, SAVED_A_SLICE)
      .map((each) => ({ ...each, state: each.device.episodes.save() }))
      .filter(({ state }) => state.length <= MOST_STATE_BYTES);
  }

  #note(deviceId: string, reachedUs: number, readings: number): void {
    const device = this.#followed.get(deviceId) as FollowedDevice;
    const passedUs = reachedUs - device.reachedUs;
    device.reachedUs = reachedUs;
    this.#followed.delete(deviceId);
    // One that reports so seldom that each reading has it saved is loaded again for the next one.
    const isSeldom = readings <= 1 && passedUs >= this.#settings.saveSeconds * MICROS_PER_SECOND;
    if (isSeldom && device.savedUs === reachedUs) return;
    this.#followed.set(deviceId, device);
  }

  /** Trackers beyond the bound are those of devices that have been silent for longest: they are loaded again when they report. */
  #forgetOldest(): void {
    for (const deviceId of this.#followed.keys()) {
      if (this.#followed.size <= this.#settings.maxDevices) return;
      this.#followed.delete(deviceId);
    }
  }
}

function count(unusable: UnusableStates[], { deviceId: device, reason }: UnusableState): void {
  const at = unusable.findIndex((states) => states.reason === reason);
  const known = unusable[at];
  if (known === undefined) unusable.push({ reason, devices: 1, device });
  else unusable[at] = { ...known, devices: known.devices + 1 };
}

function pagesOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, page) =>
    items.slice(page * size, (page + 1) * size),
  );
}
