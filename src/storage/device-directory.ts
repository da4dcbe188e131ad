/**
 * The tables `devices` and `device_latest` as the pipeline uses them: profiles in, last values out.
 *
 * Last values are collected in memory and written when `flush` is called, only what changed, and only forward in
 * time: any number of processes may write the same devices. After a crash they lag behind `telemetry`; `catchUp`.
 */
import { CHANNELS, CHANNEL_NAMES, channelIndex, type ChannelName } from '../telemetry/channels.js';
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import { formatTimestamp } from '../telemetry/timestamp.js';
import type { Database, Row } from './database.js';
import type { DeviceProfile, DeviceRegistry } from './device-registry.js';
import { LatestValues, type LatestSlice } from './device-directory-latest.js';
import type { WriteResult } from './telemetry-sink.js';

const DEFAULT_PROFILE: DeviceProfile = { expectedChannels: null, limits: {} };

const instant = (micros: string): string => `timestamptz 'epoch' + ${micros} * interval '1 microsecond'`;

/**
 * The SELECT does not see what the INSERT adds: devices that it does not return are new, with the default profile.
 * $2: NULL where the device has no record in the batch.
 */
const MEET_SQL = `
  WITH registered AS (
    INSERT INTO devices (device_id, first_seen)
    SELECT device_id, ${instant('first_us')} FROM unnest($1::text[], $2::bigint[]) AS met (device_id, first_us)
    ON CONFLICT (device_id) DO NOTHING
  )
  SELECT device_id, expected_channels, profile FROM devices WHERE device_id = ANY($1::text[])`;

const LATEST_SQL = `
  INSERT INTO device_latest (device_id, channel, value, "timestamp")
  SELECT device_id, channel, value, ${instant('us')}
  FROM unnest($1::text[], $2::text[], $3::real[], $4::bigint[]) AS latest (device_id, channel, value, us)
  ON CONFLICT (device_id, channel) DO UPDATE SET value = excluded.value, "timestamp" = excluded."timestamp"
  WHERE excluded."timestamp" >= device_latest."timestamp"`;

const SEEN_SQL = `
  UPDATE devices SET
    first_seen = least(devices.first_seen, ${instant('seen.first_us')}),
    last_seen = greatest(devices.last_seen, ${instant('seen.last_us')})
  FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS seen (device_id, first_us, last_us)
  WHERE devices.device_id = seen.device_id`;

const CATCH_UP_SQL = `
  WITH newer AS MATERIALIZED (
    SELECT t.* FROM devices
    CROSS JOIN LATERAL (
      SELECT device_id, "timestamp", ${CHANNEL_NAMES.join(', ')} FROM telemetry
      WHERE telemetry.device_id = devices.device_id AND "timestamp" >= $1::timestamptz
        AND "timestamp" > coalesce(devices.last_seen, '-infinity')
      OFFSET 0 -- one look into the key for each device, never a scan of everything
    ) AS t
  ), latest AS (
    INSERT INTO device_latest (device_id, channel, value, "timestamp")
    SELECT DISTINCT ON (device_id, channel) device_id, channel, value, "timestamp"
    FROM newer CROSS JOIN LATERAL (VALUES ${CHANNEL_NAMES.map((name) => `('${name}', ${name})`).join(', ')}) AS reading (channel, value)
    WHERE value IS NOT NULL ORDER BY device_id, channel, "timestamp" DESC
    ON CONFLICT (device_id, channel) DO UPDATE SET value = excluded.value, "timestamp" = excluded."timestamp"
    WHERE excluded."timestamp" >= device_latest."timestamp"
  )
  UPDATE devices SET last_seen = seen.last_seen
  FROM (SELECT device_id, max("timestamp") AS last_seen FROM newer GROUP BY device_id) AS seen
  WHERE devices.device_id = seen.device_id`;

/** Devices a transaction of `flush`: at most fifteen times as many rows. */
const DEVICES_PER_FLUSH = 500;

export class DeviceDirectory implements DeviceRegistry {
  readonly #database: Database;
  readonly #latest = new LatestValues();
  #flushing: Promise<void> = Promise.resolve();

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * The profiles of devices, in one round trip. Those that the database does not know are registered, first seen at
   * their earliest record in `batch`; one without a record there was met before, in a batch that was given up, and is
   * first seen once it has one. Rejects with an OperationalError; calling again is safe.
   */
  async meet(deviceIds: readonly string[], batch: ReadingBatch): Promise<Map<string, DeviceProfile>> {
    const firstUs = earliest(deviceIds, batch);
    const rows = await this.#database.query(MEET_SQL, [deviceIds, deviceIds.map((id) => firstUs.get(id) ?? null)]);
    const profiles = new Map<string, DeviceProfile>(deviceIds.map((id) => [id, DEFAULT_PROFILE]));
    for (const row of rows) profiles.set(row['device_id'] as string, storedProfile(row));
    return profiles;
  }

  /** Takes the last values of a written batch, whose rows have device numbers; no I/O, nothing allocated per row. */
  written(batch: ReadingBatch, result: WriteResult): void {
    if (result.refused.length === 0) return this.#latest.take(batch);
    this.#latest.take(batch, new Set(result.refused.map(({ row }) => row)));
  }

  /**
   * Writes last values, first and last seen of the devices that changed since the last flush. Rejects with an
   * OperationalError; what was not written then is kept for the next one.
   */
  flush(): Promise<void> {
    const flushed = this.#flushing.then(() => this.#flush());
    this.#flushing = flushed.catch(() => undefined); // the caller has the error; the next flush starts afresh
    return flushed;
  }

  /** Writes what had changed when it began: devices go on changing meanwhile, and it would never end. */
  async #flush(): Promise<void> {
    for (let left = this.#latest.changedDevices; left > 0; left -= DEVICES_PER_FLUSH) {
      const slice = this.#latest.takeChanged(Math.min(left, DEVICES_PER_FLUSH));
      try {
        await this.#writeSlice(slice);
      } catch (error) {
        this.#latest.giveBack(slice);
        throw error;
      }
    }
  }

  #writeSlice(slice: LatestSlice): Promise<void> {
    return this.#database.transaction(async (session) => {
      const { latest, seen } = slice;
      if (latest.deviceIds.length > 0) {
        await session.execute(LATEST_SQL, [latest.deviceIds, latest.channels, latest.values, latest.timestampsUs]);
      }
      await session.execute(SEEN_SQL, [seen.deviceIds, seen.firstUs, seen.lastUs]);
    });
  }

  /**
   * After a crash: takes over what was stored after the last flush. Reads, per device, the rows newer than its
   * `last_seen`, which is what a few seconds brought in.
   * @param fromUs nothing older is looked at, epoch microseconds; keeps compressed chunks closed
   * @returns how many devices had newer rows
   */
  catchUp(fromUs: number): Promise<number> {
    return this.#database.execute(CATCH_UP_SQL, [formatTimestamp(Math.max(fromUs, 0))]);
  }
}

/** The earliest record of each device in the batch. */
function earliest(deviceIds: readonly string[], batch: ReadingBatch): Map<string, number> {
  const wanted = new Set(deviceIds);
  const firstUs = new Map<string, number>();
  for (let row = 0; row < batch.length; row++) {
    const id = batch.deviceId[row] as string;
    if (!wanted.has(id)) continue;
    const timestampUs = batch.timestampUs[row] as number;
    const known = firstUs.get(id);
    if (known === undefined || timestampUs < known) firstUs.set(id, timestampUs);
  }
  return firstUs;
}

function storedProfile(row: Row): DeviceProfile {
  const expected = row['expected_channels'] as string[] | null;
  return {
    expectedChannels: expected && expected.filter((name): name is ChannelName => channelIndex(name) !== undefined),
    limits: storedLimits((row['profile'] as { limits?: unknown } | null)?.limits),
  };
}

/** Profiles are written by people: a limit that leaves no possible value must not stop a well, and limits nothing. */
function storedLimits(limits: unknown): DeviceProfile['limits'] {
  if (typeof limits !== 'object' || limits === null) return {};
  const given = limits as Readonly<Record<string, { readonly min?: unknown; readonly max?: unknown } | null>>;
  const result: Record<string, { min?: number; max?: number }> = {};
  for (const channel of CHANNELS) {
    const { min, max } = given[channel.name] ?? {};
    const lower = typeof min === 'number' ? Math.max(min, channel.minimum) : channel.minimum;
    const upper = typeof max === 'number' ? Math.min(max, channel.maximum) : channel.maximum;
    if (lower > upper || (lower === channel.minimum && upper === channel.maximum)) continue;
    result[channel.name] = { min: lower, max: upper };
  }
  return result;
}
