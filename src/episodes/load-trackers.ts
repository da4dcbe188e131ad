/**
 * The trackers of devices that this process has none of: from what was saved of them, and the readings between that and their
 * watermark; where nothing usable was saved, from their last readings alone (warm-up.ts).
 */
import type { EpisodeOptions } from '../pipeline/episodes/episode.js';
import type { StateFault } from '../pipeline/state-bytes.js';
import type { Database } from '../storage/database.js';
import { MICROS_PER_SECOND } from '../telemetry/timestamp.js';
import { DeviceEpisodes, type KnownEpisode } from './device-episodes.js';
import type { DueDevice } from './due-devices.js';
import { readKnownEpisodes } from './episode-store.js';
import { readStretches } from './reading-rows.js';
import { readTrackers, type SavedTracker } from './state-store.js';
import { type StartedDevice, warmUp } from './warm-up.js';

/** A device with its tracker; times are epoch microseconds. */
export interface FollowedDevice {
  readonly episodes: DeviceEpisodes;
  /** Up to where its readings have been looked through. */
  reachedUs: number;
  /** The same of what was saved last; −Infinity where nothing was. */
  savedUs: number;
}

/** Saved state that could not be used; `ahead`: it knows readings that count as not looked through. */
export interface UnusableState {
  readonly deviceId: string;
  readonly reason: StateFault | 'ahead';
}

export interface LoadedTrackers {
  readonly followed: ReadonlyMap<string, FollowedDevice>;
  readonly unusable: readonly UnusableState[];
}

/** Readings of a device at once that lie between what was saved and the watermark. */
const READINGS_AT_ONCE = 4000;

export async function loadTrackers(
  database: Database,
  devices: readonly DueDevice[],
  settings: EpisodeOptions & { readonly lookBackHours: number },
): Promise<LoadedTrackers> {
  const ids = devices.map(({ deviceId }) => deviceId);
  const [known, saved] = [await readKnownEpisodes(database, ids), await readTrackers(database, ids)];
  const followed = new Map<string, FollowedDevice>();
  const unusable: UnusableState[] = [];
  const behind: { deviceId: string; device: FollowedDevice }[] = [];
  const anew: StartedDevice[] = [];
  for (const due of devices) {
    const { deviceId, reachedUs, newestUs } = due;
    const own = known.get(deviceId) ?? [];
    const restored = restore(due, saved.get(deviceId), own, settings);
    if (typeof restored === 'object') {
      const device = { episodes: restored.episodes, reachedUs: restored.reachedUs, savedUs: restored.savedUs };
      followed.set(deviceId, device);
      behind.push({ deviceId, device });
      continue;
    }
    if (restored !== undefined) unusable.push({ deviceId, reason: restored });
    const episodes = new DeviceEpisodes(settings);
    const fromUs = newestUs - settings.lookBackHours * 3600 * MICROS_PER_SECOND;
    followed.set(deviceId, { episodes, reachedUs: reachedUs ?? fromUs, savedUs: Number.NEGATIVE_INFINITY });
    anew.push({ deviceId, episodes, reachedUs, known: own });
  }
  await catchUp(database, behind);
  await warmUp(database, anew);
  return { followed, unusable };
}

function restore(
  { reachedUs }: DueDevice,
  saved: SavedTracker | undefined,
  known: readonly KnownEpisode[],
  options: EpisodeOptions,
): FollowedDevice | UnusableState['reason'] | undefined {
  if (saved === undefined) return undefined;
  if (saved.reachedUs > (reachedUs ?? Number.NEGATIVE_INFINITY)) return 'ahead';
  const episodes = DeviceEpisodes.restored(options, saved.state);
  if (typeof episodes === 'string') return episodes;
  // What the readings in between hold is stored; what is found in them is compared with it, and stored once more.
  episodes.resume(known, reachedUs as number);
  return { episodes, reachedUs: reachedUs as number, savedUs: saved.reachedUs };
}

/** Feeds each tracker the readings up to its watermark. */
async function catchUp(
  database: Database,
  devices: readonly { readonly deviceId: string; readonly device: FollowedDevice }[],
): Promise<void> {
  const byId = new Map(devices.map(({ deviceId, device }) => [deviceId, device]));
  let stretches = devices
    .filter(({ device }) => device.savedUs < device.reachedUs)
    .map(({ deviceId, device }) => ({ deviceId, afterUs: device.savedUs, untilUs: device.reachedUs }));
  while (stretches.length > 0) {
    const batch = await readStretches(database, stretches, 'oldest', READINGS_AT_ONCE);
    const read = new Map<string, { readings: number; lastUs: number }>();
    for (let row = 0; row < batch.length; row++) {
      const deviceId = batch.deviceId[row] as string;
      byId.get(deviceId)?.episodes.add(batch, row);
      const readings = (read.get(deviceId)?.readings ?? 0) + 1;
      read.set(deviceId, { readings, lastUs: batch.timestampUs[row] as number });
    }
    stretches = stretches.flatMap((stretch) => {
      const { readings = 0, lastUs = 0 } = read.get(stretch.deviceId) ?? {};
      return readings < READINGS_AT_ONCE ? [] : [{ ...stretch, afterUs: lastUs }];
    });
  }
}
