/** The statements by which last values get into `device_latest`, and their times into `devices`. */
import { CHANNEL_NAMES } from '../telemetry/channels.js';
import { NEWEST_COLUMNS } from './device-directory-encoder.js';

const channelColumns = CHANNEL_NAMES.flatMap((name) => [name, `${name}_at`]).join(', ');

const FORWARD_ONLY = CHANNEL_NAMES.map(
  (name) => `
    ${name} = CASE WHEN excluded.${name}_at >= l.${name}_at OR l.${name}_at IS NULL THEN excluded.${name} ELSE l.${name} END,
    ${name}_at = greatest(l.${name}_at, excluded.${name}_at)`,
).join(',');

/**
 * What the newest row says goes with its time. Of two that speak of the same row, one merged into it what the other had
 * stored: NULL wins, and whoever wants to know looks at the row.
 */
const NEWEST_ONLY = NEWEST_COLUMNS.map(
  (name) => `
    ${name} = CASE
      WHEN excluded.newest_at > l.newest_at OR l.newest_at IS NULL THEN excluded.${name}
      WHEN excluded.newest_at = l.newest_at AND excluded.operating_state IS NULL THEN NULL
      ELSE l.${name} END`,
).join(',');

const upsert = (source: string): string => `
  INSERT INTO device_latest AS l (device_id, newest_at, ${NEWEST_COLUMNS.join(', ')}, ${channelColumns})
  ${source}
  ON CONFLICT (device_id) DO UPDATE SET
    newest_at = greatest(l.newest_at, excluded.newest_at), ${NEWEST_ONLY}, ${FORWARD_ONLY}`;

/**
 * In the order of the ids, so that two processes that write the same devices lock their rows one behind the other. Whoever
 * has the rows of `device_latest` may then change those of `devices` in any order.
 */
export const TAKE_INCOMING_SQL = upsert(`
  SELECT device_id, newest_at, ${NEWEST_COLUMNS.join(', ')}, ${channelColumns} FROM incoming_latest ORDER BY device_id`);

export const SEEN_SQL = `
  UPDATE devices SET
    first_seen = least(devices.first_seen, incoming_latest.first_at),
    last_seen = greatest(devices.last_seen, incoming_latest.last_at)
  FROM incoming_latest WHERE devices.device_id = incoming_latest.device_id`;

/**
 * Rows of a device that `catchUp` looks at. A flush is a few seconds behind, so that there are fewer; where there are
 * more, a channel that none of the newest ones reports keeps the value that it had.
 */
const CATCH_UP_ROWS = 1000;

const MICROS = `(extract(epoch FROM "timestamp") * 1000000)::float8`;
const instant = (micros: string): string => `timestamptz 'epoch' + ${micros} * interval '1 microsecond'`;

/**
 * $1: nothing older is looked at. One look into the key for each device, never a scan of everything: that is what OFFSET 0
 * is for. The greatest of (time, value) is the last value: in one pass, without keeping or sorting rows.
 */
export const CATCH_UP_SQL = `
  WITH newer AS MATERIALIZED (
    SELECT devices.device_id, found.* FROM devices CROSS JOIN LATERAL (
      SELECT max("timestamp") AS newest_at,
        ${CHANNEL_NAMES.map((name) => `max(ARRAY[${MICROS}, ${name}]) FILTER (WHERE ${name} IS NOT NULL) AS ${name}`).join(',\n        ')}
      FROM (
        SELECT "timestamp", ${CHANNEL_NAMES.join(', ')} FROM telemetry
        WHERE telemetry.device_id = devices.device_id AND "timestamp" >= $1::timestamptz
          AND "timestamp" > coalesce(devices.last_seen, '-infinity')
        ORDER BY "timestamp" DESC LIMIT ${CATCH_UP_ROWS}
      ) AS t
      OFFSET 0
    ) AS found
    WHERE found.newest_at IS NOT NULL
  ), latest AS (${upsert(`
    SELECT device_id, newest_at, NULL, NULL, NULL::smallint, NULL::smallint,
      ${CHANNEL_NAMES.map((name) => `${name}[2], ${instant(`${name}[1]`)}`).join(', ')}
    FROM newer ORDER BY device_id`)}
  )
  UPDATE devices SET last_seen = greatest(devices.last_seen, newer.newest_at)
  FROM newer WHERE devices.device_id = newer.device_id`;
