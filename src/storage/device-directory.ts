/**
 * The tables `devices` and `device_latest` as the pipeline uses them: profiles in, last values out.
 *
 * Last values are collected in memory and written when `flush` is called, only what changed, and only forward in
 * time: any number of processes may write the same devices. After a crash they lag behind `telemetry` until `catchUp`
 * was called.
 */
import { channelIndex, type ChannelName } from '../telemetry/channels.js';
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import { formatTimestamp } from '../telemetry/timestamp.js';
import type { Database, Row, Session } from './database.js';
import type { DeviceProfile, DeviceRegistry } from './device-registry.js';
import { encodeLatest, INCOMING_COPY_TARGET, INCOMING_TABLE_SQL } from './device-directory-encoder.js';
import { LatestValues, type LatestSlice } from './device-directory-latest.js';
import { CATCH_UP_SQL, SEEN_SQL, TAKE_INCOMING_SQL } from './device-directory-sql.js';
import { storedDetection } from './stored-detection.js';
import { storedLimits } from './stored-limits.js';
import { storedRules } from './stored-rules.js';
import type { WriteResult } from './telemetry-sink.js';

const DEFAULT_PROFILE: DeviceProfile = { expectedChannels: null, limits: {} };

const instant = (micros: string): string => `timestamptz 'epoch' + ${micros} * interval '1 microsecond'`;

const PROFILES_SQL =
  'SELECT device_id, expected_channels, reporting_mode, profile FROM devices WHERE device_id = ANY($1::text[])';

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
  ${PROFILES_SQL}`;

/**
 * Devices a transaction of `flush`. Beginning one costs as much as some hundred devices; on the embedded database, where
 * the pipeline waits for it, this many take about as long as a batch.
 */
const DEVICES_PER_FLUSH = 2500;

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
    return profilesOf(deviceIds, rows);
  }

  /** Takes the last values of a written batch, whose rows have device numbers; no I/O, nothing allocated per row. */
  written(batch: ReadingBatch, result: WriteResult): void {
    this.#latest.take(batch, result);
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

  /** The slice is encoded before the first await: devices go on changing. */
  #writeSlice(slice: LatestSlice): Promise<void> {
    const encoded = encodeLatest(this.#latest, slice);
    return this.#database.transaction((session) => takeLatest(session, encoded));
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

/** Takes over what `encodeLatest` has encoded, in a transaction of the caller's. */
async function takeLatest(session: Session, encoded: Uint8Array): Promise<void> {
  await session.execute(INCOMING_TABLE_SQL);
  await session.copyBinary(INCOMING_COPY_TARGET, [encoded]);
  await session.execute(TAKE_INCOMING_SQL);
  await session.execute(SEEN_SQL);
}

const REGISTER_SQL = 'INSERT INTO devices (device_id) SELECT unnest($1::text[]) ON CONFLICT (device_id) DO NOTHING';

/** Notes the last values of rows in the transaction that stores them; devices that are new register themselves. */
export async function noteLatest(session: Session, batch: ReadingBatch, result: WriteResult): Promise<void> {
  const latest = new LatestValues();
  latest.take(batch, result);
  const slice = latest.takeChanged(latest.changedDevices);
  if (slice.devices.length === 0) return;
  await session.execute(REGISTER_SQL, [slice.devices.map((device) => latest.ids[device] as string)]);
  await takeLatest(session, encodeLatest(latest, slice));
}

/** The profiles of devices; of those that the database does not know the default one. Registers nobody. */
export async function readProfiles(
  session: Session,
  deviceIds: readonly string[],
): Promise<ReadonlyMap<string, DeviceProfile>> {
  const rows = await session.query(PROFILES_SQL, [deviceIds]);
  return profilesOf(deviceIds, rows);
}

function profilesOf(deviceIds: readonly string[], rows: readonly Row[]): Map<string, DeviceProfile> {
  const profiles = new Map<string, DeviceProfile>(deviceIds.map((id) => [id, DEFAULT_PROFILE]));
  for (const row of rows) profiles.set(row['device_id'] as string, storedProfile(row));
  return profiles;
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
  const profile = row['profile'] as { limits?: unknown; detection?: unknown } | null;
  const { rules, problems: ofRules } = storedRules(profile, row['reporting_mode']);
  const problems = [...ofRules];
  return {
    expectedChannels: expected && expected.filter((name): name is ChannelName => channelIndex(name) !== undefined),
    limits: storedLimits(profile?.limits, problems),
    detection: storedDetection(profile?.detection, problems),
    rules,
    ...(problems.length === 0 ? {} : { problems }),
  };
}
