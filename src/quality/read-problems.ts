/** The records behind a figure: what is wrong with a device's records, how often, and which ones they are. */
import type { Database, Row } from '../storage/database.js';
import { anomalyCauseName } from '../telemetry/anomaly-cause.js';
import { CHANNEL_NAMES } from '../telemetry/channels.js';
import { operatingStateName } from '../telemetry/operating-state.js';
import { sqlInstant } from '../telemetry/sql-instant.js';
import { formatTimestamp, sqlTimestamp } from '../telemetry/timestamp.js';
import { JUDGED_COLUMNS, type JudgedRow, PROBLEMS, problemsOf } from './problems.js';
import type { ProblemRecords, Problems } from './quality-schemas.js';
import type { TimeWindow } from './window-pieces.js';

const RANGE = 't.device_id = $1 AND t."timestamp" >= $2::timestamptz AND t."timestamp" < $3::timestamptz';
const parametersOf = (deviceId: string, { fromUs, toUs }: TimeWindow): string[] => [
  deviceId,
  sqlTimestamp(fromUs),
  sqlTimestamp(toUs),
];

/** How often each problem occurs in what is kept of the range. Reads the range's records, of one device. */
export async function readProblems(database: Database, deviceId: string, window: TimeWindow): Promise<Problems> {
  // There are few different combinations: the database counts them, and names are given to these.
  const rows = await database.query<JudgedRow & { n: number } & Row>(
    `SELECT j.*, count(*)::float8 AS n FROM (SELECT ${JUDGED_COLUMNS} FROM telemetry t WHERE ${RANGE}) j GROUP BY 1, 2, 3, 4`,
    parametersOf(deviceId, window),
  );
  const counts = new Map<string, number>();
  let records = 0;
  for (const row of rows) {
    records += row.n;
    for (const problem of problemsOf(row)) counts.set(problem, (counts.get(problem) ?? 0) + row.n);
  }
  return {
    as_of: formatTimestamp(Date.now() * 1000),
    device_id: deviceId,
    from: formatTimestamp(window.fromUs),
    to: formatTimestamp(window.toUs),
    records,
    problems: [...counts]
      .sort(([name, count], [other, more]) => more - count || (name < other ? -1 : 1))
      .map(([problem, count]) => ({ problem, dimension: PROBLEMS.get(problem)?.dimension ?? null, records: count })),
  };
}

const COLUMNS = [
  't."timestamp"',
  't.ingestion_timestamp',
  't.data_quality_score',
  't.anomaly_cause',
  't.operating_state',
  't.raw_values',
  JUDGED_COLUMNS,
  ...CHANNEL_NAMES.map((name) => `t.${name}`),
].join(', ');

/**
 * Records of the range, newest first.
 * @param problem a name of PROBLEMS; undefined: all records
 */
export async function readProblemRecords(
  database: Database,
  deviceId: string,
  window: TimeWindow,
  { problem, limit }: { problem: string | undefined; limit: number },
): Promise<ProblemRecords> {
  const condition = problem === undefined ? '' : ` AND (${PROBLEMS.get(problem)?.sql ?? 'false'})`;
  const rows = await database.query<JudgedRow & Row>(
    `SELECT ${COLUMNS} FROM telemetry t WHERE ${RANGE}${condition} ORDER BY t."timestamp" DESC LIMIT ${limit + 1}`,
    parametersOf(deviceId, window),
  );
  const shown = rows.slice(0, limit);
  return {
    as_of: formatTimestamp(Date.now() * 1000),
    device_id: deviceId,
    from: formatTimestamp(window.fromUs),
    to: formatTimestamp(window.toUs),
    problem: problem ?? null,
    next: rows.length > limit ? sqlInstant(shown.at(-1)?.['timestamp']) : null,
    records: shown.map(recordOf),
  };
}

function recordOf(row: JudgedRow & Row): ProblemRecords['records'][number] {
  const values = CHANNEL_NAMES.flatMap((name) => {
    const value = row[name];
    return typeof value === 'number' ? [[name, value] as const] : [];
  });
  const score = row['data_quality_score'];
  return {
    timestamp: sqlInstant(row['timestamp']) ?? '',
    ingestion_timestamp: sqlInstant(row['ingestion_timestamp']),
    quality_score: typeof score === 'number' ? Number(score.toFixed(4)) : null,
    problems: problemsOf(row),
    anomaly_cause: row.is_anomaly === true ? anomalyCauseName((row['anomaly_cause'] as number | null) ?? null) : null,
    operating_state: operatingStateName((row['operating_state'] as number | null) ?? null),
    values: Object.fromEntries(values),
    raw_values: row['raw_values'] ?? null,
  };
}
