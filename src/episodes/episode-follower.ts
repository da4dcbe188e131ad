/**
 * Goes through the stored readings of the whole fleet, device by device in time order, and keeps their episodes.
 *
 * Each slice is a query over many devices and a transaction with what was found and how far it came: killed anywhere, the
 * next run begins where the last commit ended, with trackers that have been fed older readings. What another process has done
 * meanwhile is seen by its watermarks.
 */
import type { EpisodeOptions } from '../pipeline/episodes/episode.js';
import type { Database } from '../storage/database.js';
import { MICROS_PER_SECOND } from '../telemetry/timestamp.js';
import { DeviceEpisodes } from './device-episodes.js';
import {
  endLapsed,
  type EpisodeToStore,
  type EpisodeTurn,
  readKnownEpisodes,
  storeEpisodes,
  storeWatermarks,
} from './episode-store.js';
import { type DueDevice, readDueDevices } from './due-devices.js';
import { readStretches } from './reading-rows.js';
import { warmUp } from './warm-up.js';

export interface EpisodeSettings extends EpisodeOptions {
  /** Readings younger than this are left alone: gauge and drive of an instant may come one after the other. */
  readonly settleSeconds: number;
  /** How much of the past of a device is looked through that was never looked at before. */
  readonly lookBackHours: number;
  /** Devices whose trackers are kept in memory. */
  readonly maxDevices: number;
  /** Stored with each episode: what judged its records. */
  readonly detector: string;
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
  /** There are readings left. */
  readonly more: boolean;
}

const DEVICES_A_SLICE = 500;
const READINGS_A_SLICE = 40_000;
/** Each of them is fed some thousand older readings. */
const NEW_DEVICES_A_SLICE = 10;

interface Followed {
  readonly episodes: DeviceEpisodes;
  reachedUs: number;
}

export class EpisodeFollower {
  readonly #settings: EpisodeSettings;
  /** Those that reported last stand last. */
  readonly #followed = new Map<string, Followed>();
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
    const outcome = { devices: 0, readings: 0, turns: [] as EpisodeTurn[], more: false };
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
      const done = await slice(() => this.#followPage(database, page, untilUs));
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
  ): Promise<Omit<FollowerOutcome, 'devices'>> {
    try {
      await this.#makeReady(database, page);
      return await this.#lookThrough(database, page, untilUs);
    } catch (error) {
      // The trackers have gone on, the watermarks have not: next time they are fed anew.
      for (const { deviceId } of page) this.#followed.delete(deviceId);
      throw error;
    }
  }

  async #makeReady(database: Database, page: readonly DueDevice[]): Promise<void> {
    const missing = page.filter(({ deviceId }) => !this.#followed.has(deviceId));
    if (missing.length === 0) return;
    const known = await readKnownEpisodes(
      database,
      missing.map(({ deviceId }) => deviceId),
    );
    const started = missing.map(({ deviceId, reachedUs, newestUs }) => {
      const episodes = new DeviceEpisodes(this.#settings);
      const fromUs = newestUs - this.#settings.lookBackHours * 3600 * MICROS_PER_SECOND;
      this.#followed.set(deviceId, { episodes, reachedUs: reachedUs ?? fromUs });
      return { deviceId, episodes, reachedUs, known: known.get(deviceId) ?? [] };
    });
    await warmUp(database, started);
  }

  async #lookThrough(
    database: Database,
    page: readonly DueDevice[],
    untilUs: number,
  ): Promise<Omit<FollowerOutcome, 'devices'>> {
    const followed = page.map((device) => ({ ...device, state: this.#followed.get(device.deviceId) as Followed }));
    const limit = Math.floor(READINGS_A_SLICE / page.length);
    const stretches = followed.map(({ deviceId, state }) => ({ deviceId, afterUs: state.reachedUs, untilUs }));
    const batch = await readStretches(database, stretches, 'oldest', limit);
    const counts = new Map<string, number>();
    const reached = new Map<string, number>();
    for (let row = 0; row < batch.length; row++) {
      const deviceId = batch.deviceId[row] as string;
      (this.#followed.get(deviceId) as Followed).episodes.add(batch, row);
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
    const turns = await store(database, followed, reached, this.#settings.detector);
    for (const [deviceId, reachedUs] of reached) this.#note(deviceId, reachedUs);
    this.#forgetOldest();
    return { readings: batch.length, turns, more };
  }

  #note(deviceId: string, reachedUs: number): void {
    const state = this.#followed.get(deviceId) as Followed;
    state.reachedUs = reachedUs;
    this.#followed.delete(deviceId);
    this.#followed.set(deviceId, state);
  }

  /** Trackers beyond the bound are those of devices that have been silent for longest: they are fed anew when they report. */
  #forgetOldest(): void {
    for (const deviceId of this.#followed.keys()) {
      if (this.#followed.size <= this.#settings.maxDevices) return;
      this.#followed.delete(deviceId);
    }
  }
}

async function store(
  database: Database,
  followed: readonly { readonly deviceId: string; readonly state: Followed }[],
  reached: ReadonlyMap<string, number>,
  detector: string,
): Promise<EpisodeTurn[]> {
  const changed: EpisodeToStore[] = [];
  const lapsed: { deviceId: string; startUs: number }[] = [];
  for (const { deviceId, state } of followed) {
    const changes = state.episodes.take();
    for (const { startUs, episode } of changes.changed) changed.push({ deviceId, startUs, episode });
    for (const { startUs } of changes.lapsed) lapsed.push({ deviceId, startUs });
  }
  if (reached.size === 0 && changed.length === 0 && lapsed.length === 0) return [];
  return database.transaction(async (session) => {
    const ended = await endLapsed(session, lapsed);
    const turned = await storeEpisodes(session, changed, detector);
    await storeWatermarks(session, reached);
    return [...ended, ...turned];
  });
}

function pagesOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, page) =>
    items.slice(page * size, (page + 1) * size),
  );
}
