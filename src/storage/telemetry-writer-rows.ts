/**
 * Reads and updates rows of `telemetry` by many keys at once: the SQL of the writer's slow path.
 *
 * Both statements reach rows through runs (neighbouring instants of one device). In a compressed chunk a run opens
 * the few batches that it overlaps, once; looking up key by key would open one for every key, and a plain join all of them.
 * Instants travel as epoch microseconds, since text of a timestamp would have to be parsed ten thousand times.
 */
import { CHANNEL_COUNT, CHANNEL_NAMES } from '../telemetry/channels.js';
import { joinFlags, splitFlags } from '../telemetry/quality-flags.js';
import { scoreOfFlags } from '../telemetry/quality-score.js';
import { formatTimestamp, MICROS_PER_DAY, MICROS_PER_SECOND, daysFromCivil } from '../telemetry/timestamp.js';
import type { Row, Session, SqlValue } from './database.js';
import type { ChangedRow, KeyGroup } from './reconcile-batch.js';
import type { RowValues } from './reconcile.js';

/** Neighbouring instants of one device. */
interface Run {
  readonly deviceId: string;
  readonly fromUs: number;
  readonly toUs: number;
  readonly groups: readonly KeyGroup[];
}

/**
 * Instants further apart do not share a run. Rows in between are read and dropped, at most 900 a gap for a gauge of
 * 1 Hz; keys of a device that reports every quarter of an hour still make one run.
 */
const RUN_GAP_US = 900 * MICROS_PER_SECOND;

function runsOf(groups: readonly KeyGroup[]): Run[] {
  const byDevice = new Map<string, KeyGroup[]>();
  for (const group of groups) {
    const known = byDevice.get(group.deviceId);
    if (known === undefined) byDevice.set(group.deviceId, [group]);
    else known.push(group);
  }
  const runs: Run[] = [];
  for (const [deviceId, members] of byDevice) {
    members.sort((a, b) => a.timestampUs - b.timestampUs);
    let start = 0;
    for (let index = 1; index <= members.length; index++) {
      const previous = members[index - 1] as KeyGroup;
      const next = members[index];
      if (next !== undefined && next.timestampUs - previous.timestampUs <= RUN_GAP_US) continue;
      const first = members[start] as KeyGroup;
      const run = { deviceId, fromUs: first.timestampUs, toUs: previous.timestampUs };
      runs.push({ ...run, groups: members.slice(start, index) });
      start = index;
    }
  }
  return runs;
}

/** The year 1, the first that the text of a timestamp can name without "BC". */
const YEAR_ONE_US = daysFromCivil(1, 1, 1) * MICROS_PER_DAY;
const lowerBound = (us: number): string => (us < YEAR_ONE_US ? '-infinity' : formatTimestamp(us));
const upperBound = (us: number): string => formatTimestamp(Math.max(us, YEAR_ONE_US));

/** Text of the instants between which all runs lie: constants, by which chunks are excluded before the query runs. */
function boundsOf(runs: readonly Run[]): [from: string, to: string] {
  let fromUs = Number.POSITIVE_INFINITY;
  let toUs = Number.NEGATIVE_INFINITY;
  for (const run of runs) {
    fromUs = Math.min(fromUs, run.fromUs);
    toUs = Math.max(toUs, run.toUs);
  }
  return [lowerBound(fromUs), upperBound(toUs)];
}

const instant = (micros: string): string => `timestamptz 'epoch' + ${micros} * interval '1 microsecond'`;

const FETCH_SQL = `
  WITH keys AS MATERIALIZED (
    SELECT device_id, ${instant('us')} AS at, position - 1 AS position
    FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS key (device_id, us, position)
  ), runs AS MATERIALIZED (
    SELECT device_id, ${instant('from_us')} AS first, ${instant('to_us')} AS last
    FROM unnest($3::text[], $4::bigint[], $5::bigint[]) AS run (device_id, from_us, to_us)
  )
  SELECT keys.position, array_send(ARRAY[${CHANNEL_NAMES.map((name) => `t.${name}`).join(', ')}]) AS channels,
    t.quality_flags, t.is_anomaly, t.anomaly_score, t.anomaly_cause, t.operating_state, t.raw_values::text AS raw_values
  FROM runs
  CROSS JOIN LATERAL (
    SELECT * FROM telemetry
    WHERE telemetry.device_id = runs.device_id AND "timestamp" BETWEEN runs.first AND runs.last
      AND "timestamp" BETWEEN $6::timestamptz AND $7::timestamptz
    OFFSET 0 -- keeps the planner from turning the runs into a scan of everything
  ) AS t
  JOIN keys ON keys.device_id = t.device_id AND keys.at = t."timestamp"`;

/** The stored rows under the keys of `groups`, by their position there; undefined where there is none. */
export async function fetchStoredRows(
  session: Session,
  groups: readonly KeyGroup[],
): Promise<(RowValues | undefined)[]> {
  const runs = runsOf(groups);
  const rows = await session.query(FETCH_SQL, [
    groups.map(({ deviceId }) => deviceId),
    groups.map(({ timestampUs }) => timestampUs),
    runs.map(({ deviceId }) => deviceId),
    runs.map(({ fromUs }) => fromUs),
    runs.map(({ toUs }) => toUs),
    ...boundsOf(runs),
  ]);
  const stored = new Array<RowValues | undefined>(groups.length).fill(undefined);
  for (const row of rows) stored[Number(row['position'])] = storedRow(row);
  return stored;
}

function storedRow(row: Row): RowValues {
  const { low, high } = splitFlags(Number(row['quality_flags'] ?? 0));
  return {
    values: channelValues(row['channels'] as Uint8Array),
    flagsLow: low,
    flagsHigh: high,
    isAnomaly: row['is_anomaly'] === true,
    anomalyScore: (row['anomaly_score'] as number | null) ?? Number.NaN,
    anomalyCause: (row['anomaly_cause'] as number | null) ?? -1,
    operatingState: (row['operating_state'] as number | null) ?? 0,
    rawValues: (row['raw_values'] as string | null) ?? undefined,
  };
}

/** Dimensions, flags, element type, length and lower bound: what `array_send` writes before the elements. */
const ARRAY_HEADER_BYTES = 20;

/** The elements of a `real[]` as `array_send` writes them: half the time of fifteen columns of text. */
function channelValues(sent: Uint8Array): Float32Array {
  const view = new DataView(sent.buffer, sent.byteOffset, sent.byteLength);
  const values = new Float32Array(CHANNEL_COUNT).fill(Number.NaN);
  let at = ARRAY_HEADER_BYTES;
  for (let channel = 0; channel < CHANNEL_COUNT; channel++) {
    const isNull = view.getInt32(at) === -1;
    if (!isNull) values[channel] = view.getFloat32(at + 4);
    at += isNull ? 4 : 8;
  }
  return values;
}

const realOrNull = (value: number): number | null => (Number.isNaN(value) ? null : value);

/** Columns that a merge may change, their types, and where their values come from. */
const UPDATED_COLUMNS: readonly {
  name: string;
  type: string;
  of: (row: RowValues) => string | number | boolean | null;
}[] = [
  ...CHANNEL_NAMES.map((name, channel) => ({
    name,
    type: 'real',
    of: (row: RowValues) => realOrNull(row.values[channel] as number),
  })),
  { name: 'data_quality_score', type: 'real', of: (row) => scoreOfFlags(row.flagsLow, row.flagsHigh) },
  { name: 'is_anomaly', type: 'boolean', of: (row) => row.isAnomaly },
  { name: 'quality_flags', type: 'bigint', of: (row) => joinFlags(row.flagsLow, row.flagsHigh) },
  { name: 'anomaly_score', type: 'real', of: (row) => realOrNull(row.anomalyScore) },
  { name: 'anomaly_cause', type: 'smallint', of: (row) => (row.anomalyCause === -1 ? null : row.anomalyCause) },
  { name: 'operating_state', type: 'smallint', of: (row) => row.operatingState },
  { name: 'raw_values', type: 'text', of: (row) => row.rawValues ?? null },
];

const FIRST_COLUMN_PARAMETER = 6;

const UPDATE_SQL = `
  UPDATE telemetry SET ${UPDATED_COLUMNS.map(({ name }) => `${name} = changed.${name}${name === 'raw_values' ? '::jsonb' : ''}`).join(', ')}
  FROM unnest($4::text[], $5::bigint[], ${UPDATED_COLUMNS.map(({ type }, index) => `$${index + FIRST_COLUMN_PARAMETER}::${type}[]`).join(', ')})
    AS changed (device_id, us, ${UPDATED_COLUMNS.map(({ name }) => name).join(', ')})
  WHERE telemetry.device_id = changed.device_id AND telemetry."timestamp" = ${instant('changed.us')}
    AND telemetry."timestamp" BETWEEN $1::timestamptz AND $2::timestamptz AND telemetry.device_id `;

/** One statement for many devices. In a compressed chunk it would open everything between the bounds. */
const UPDATE_MANY_SQL = `${UPDATE_SQL} = ANY($3::text[])`;
/** One statement a run: the device and the bounds are constants, which is what picks the batches of a compressed chunk. */
const UPDATE_RUN_SQL = `${UPDATE_SQL} = $3::text`;

/** Below this a statement for each run costs nothing worth mentioning, and is safe wherever the rows are. */
const FEW_ROWS = 16;

/**
 * Writes merged rows over the stored ones, within the caller's transaction.
 * @param compressedBeforeUs rows older than this may lie in compressed chunks, epoch microseconds
 */
export async function updateStoredRows(
  session: Session,
  changed: readonly ChangedRow[],
  compressedBeforeUs: number,
): Promise<void> {
  if (changed.length === 0) return;
  const recent = changed.filter(({ group }) => group.timestampUs >= compressedBeforeUs);
  if (recent.length > FEW_ROWS) {
    await session.execute(UPDATE_MANY_SQL, updateParameters(recent, runsOf(recent.map(({ group }) => group))));
  }
  const careful =
    recent.length > FEW_ROWS ? changed.filter(({ group }) => group.timestampUs < compressedBeforeUs) : changed;
  if (careful.length === 0) return;
  // A chunk that is still compressed looks empty to the planner, which would then compare every row with every other.
  await session.execute('SET LOCAL enable_nestloop = off');
  const byGroup = new Map(careful.map((row) => [row.group, row]));
  for (const run of runsOf([...byGroup.keys()])) {
    const members = run.groups.map((group) => byGroup.get(group) as ChangedRow);
    await session.execute(UPDATE_RUN_SQL, updateParameters(members, [run], run.deviceId));
  }
}

function updateParameters(changed: readonly ChangedRow[], runs: readonly Run[], deviceId?: string): SqlValue[] {
  return [
    ...boundsOf(runs),
    deviceId ?? [...new Set(runs.map((run) => run.deviceId))],
    changed.map(({ group }) => group.deviceId),
    changed.map(({ group }) => group.timestampUs),
    ...UPDATED_COLUMNS.map(({ of }) => changed.map(({ values }) => of(values))),
  ];
}
