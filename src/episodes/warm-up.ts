/**
 * Feeds new trackers the readings before their watermark, so that they know what is normal. Bounded by a number of readings
 * a device: at one a second that is an hour, at one a quarter of an hour all the days that a tracker remembers. Where an
 * episode is going on, it is the time before that which says what is normal.
 */
import type { Database } from '../storage/database.js';
import { MICROS_PER_DAY } from '../telemetry/timestamp.js';
import type { DeviceEpisodes, KnownEpisode } from './device-episodes.js';
import { readStretches, type Stretch } from './reading-rows.js';

/** What an hour's memory of a tracker holds at one reading a second, and some more. */
const READINGS_BEFORE = 4300;
/** Of an episode that is going on: its beginning, and its last part. What lies between would push out what was normal. */
const READINGS_AT_ENDS = 1200;
/** A tracker remembers seven and a half days. */
const DAYS = 8;

export interface StartedDevice {
  readonly deviceId: string;
  readonly episodes: DeviceEpisodes;
  /** Epoch microseconds; null: it was never looked at, and begins with nothing. */
  readonly reachedUs: number | null;
  readonly known: readonly KnownEpisode[];
}

export async function warmUp(database: Database, devices: readonly StartedDevice[]): Promise<void> {
  const lastUs = new Map<string, number>();
  const byId = new Map(devices.map((device) => [device.deviceId, device]));
  const feed = async (which: 'oldest' | 'newest', stretches: readonly Stretch[], limit: number): Promise<void> => {
    const batch = await readStretches(database, stretches, which, limit);
    for (let row = 0; row < batch.length; row++) {
      const deviceId = batch.deviceId[row] as string;
      byId.get(deviceId)?.episodes.add(batch, row);
      lastUs.set(deviceId, batch.timestampUs[row] as number);
    }
  };
  const started = devices.flatMap(({ deviceId, reachedUs, known }) => {
    if (reachedUs === null) return [];
    const openUs = known.find(({ isOpen }) => isOpen)?.startUs;
    return [{ deviceId, reachedUs, pivotUs: Math.min(openUs ?? reachedUs, reachedUs) }];
  });
  await feed(
    'newest',
    started.map(({ deviceId, pivotUs }) => ({ deviceId, afterUs: pivotUs - DAYS * MICROS_PER_DAY, untilUs: pivotUs })),
    READINGS_BEFORE,
  );
  const rest = (): Stretch[] =>
    started
      .filter(({ pivotUs, reachedUs }) => pivotUs < reachedUs)
      .map(({ deviceId, pivotUs, reachedUs }) => ({
        deviceId,
        afterUs: Math.max(pivotUs, lastUs.get(deviceId) ?? pivotUs),
        untilUs: reachedUs,
      }));
  await feed('oldest', rest(), READINGS_AT_ENDS);
  await feed('newest', rest(), READINGS_AT_ENDS);
  for (const { episodes, known, reachedUs } of devices) if (reachedUs !== null) episodes.resume(known, reachedUs);
}
