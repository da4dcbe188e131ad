/** From when to when a device has data, at whatever resolution is left of it. */
import type { Database } from '../storage/database.js';
import type { LevelCatalogue, SeriesLevel } from './series-levels.js';
import { toRfc3339 } from './timestamps.js';

export interface DataRange {
  readonly data_from: string | null;
  readonly data_to: string | null;
}

async function edge(
  database: Database,
  { table, timeColumn }: SeriesLevel,
  deviceId: string,
  order: 'ASC' | 'DESC',
): Promise<string | null> {
  const [row] = await database.query<{ at: string }>(
    `SELECT ${timeColumn} AS at FROM ${table} WHERE device_id = $1 ORDER BY ${timeColumn} ${order} LIMIT 1`,
    [deviceId],
  );
  return toRfc3339(row?.at);
}

/** Both null for a device without data. The daily level outlives the readings, so it knows the beginning best. */
export async function readDataRange(database: Database, levels: LevelCatalogue, deviceId: string): Promise<DataRange> {
  const raw = levels.get('raw');
  const daily = levels.get('daily');
  const rawFrom = raw === undefined ? null : await edge(database, raw, deviceId, 'ASC');
  const dailyFrom = daily === undefined ? null : await edge(database, daily, deviceId, 'ASC');
  const rawTo = raw === undefined ? null : await edge(database, raw, deviceId, 'DESC');
  const dailyTo = rawTo !== null || daily === undefined ? null : await edge(database, daily, deviceId, 'DESC');
  // The first day's bucket begins at midnight: only where it lies a day or more before the readings does it tell more.
  const olderThanReadings = rawFrom === null || (dailyFrom !== null && dailyFrom.slice(0, 10) < rawFrom.slice(0, 10));
  return { data_from: olderThanReadings ? dailyFrom : rawFrom, data_to: rawTo ?? dailyTo };
}
