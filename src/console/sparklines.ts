/** The small curve beside each well: one query for the whole fleet, from the aggregates only. */
import { channel, type ChannelName } from '../telemetry/channels.js';
import type { Database } from '../storage/database.js';
import type { Sparkline } from './api-schemas.js';
import type { LevelCatalogue } from './series-levels.js';

/** Points of a sparkline: it is about as many pixels wide as this times two. */
const SPARKLINE_POINTS = 36;
/** Beyond this many hours the hourly level answers: it has a sixtieth of the rows. */
const ONE_MINUTE_LEVEL_HOURS = 24;

interface SparklineRow extends Record<string, unknown> {
  device_id: string;
  slots: Record<string, number | null>;
}

/** Sparklines by device over the last hours; empty where the database has no aggregates. */
export async function readSparklines(
  database: Database,
  levels: LevelCatalogue,
  channelName: ChannelName,
  hours: number,
): Promise<ReadonlyMap<string, Sparkline>> {
  const level = levels.get(hours <= ONE_MINUTE_LEVEL_HOURS ? '1min' : '1hour');
  if (level?.bucketSeconds == null) return new Map();
  const rangeSeconds = hours * 3600;
  const widthSeconds = Math.ceil(rangeSeconds / SPARKLINE_POINTS / level.bucketSeconds) * level.bucketSeconds;
  const rows = await database.query<SparklineRow>(
    `SELECT device_id, jsonb_object_agg(slot, mean) AS slots
     FROM (
       SELECT device_id,
         extract(epoch FROM date_bin(make_interval(secs => $1), bucket, 'epoch'))::bigint AS slot,
         avg(${channel(channelName).stem}_avg)::real AS mean
       FROM ${level.table}
       WHERE bucket >= now() - make_interval(secs => $2) AND bucket <= now()
       GROUP BY 1, 2
     ) binned
     GROUP BY device_id`,
    [widthSeconds, rangeSeconds],
  );
  return new Map(rows.map((row) => [row.device_id, sparklineOf(channelName, row.slots, widthSeconds)]));
}

/** Slots in the order of time, the empty ones between them as null: a gap is shown as one. */
function sparklineOf(
  channelName: ChannelName,
  slots: Readonly<Record<string, number | null>>,
  widthSeconds: number,
): Sparkline {
  const known = Object.keys(slots)
    .map(Number)
    .sort((a, b) => a - b);
  const timestamps: number[] = [];
  const values: (number | null)[] = [];
  const last = known.at(-1) ?? 0;
  for (let slot = known[0] ?? 1; slot <= last; slot += widthSeconds) {
    timestamps.push(slot);
    values.push(slots[String(slot)] ?? null);
  }
  return { channel: channelName, timestamps, values };
}
