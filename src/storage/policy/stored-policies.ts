/** The policies in the database: what they hold, and how the configuration gets into them. */
import { AGGREGATE_LEVELS, readRefreshWindows, type LevelName } from '../aggregate-levels.js';
import type { Database } from '../database.js';
import type { LevelTimes, StoredPolicies } from './lifecycle-policy.js';

const SECONDS_PER_DAY = 86_400;

const COMPRESSION_SQL = `
  SELECT a.user_view_name AS view, extract(epoch FROM (j.config ->> 'compress_after')::interval)::float8 AS seconds
  FROM timescaledb_information.jobs j
  JOIN _timescaledb_catalog.continuous_agg a ON a.mat_hypertable_id = (j.config ->> 'hypertable_id')::int
  WHERE j.proc_name IN ('policy_compression', 'policy_columnstore') AND a.user_view_schema = current_schema()`;

const CHUNK_SQL = `
  SELECT extract(epoch FROM time_interval)::float8 AS seconds FROM timescaledb_information.dimensions
  WHERE hypertable_schema = current_schema() AND hypertable_name = 'telemetry' AND dimension_number = 1`;

/** What applies there; undefined without TimescaleDB community, where there are no policies. */
export async function readStoredPolicies(database: Database): Promise<StoredPolicies | undefined> {
  if (database.capabilities.timescale !== 'community') return undefined;
  const windows = await readRefreshWindows(database);
  const compression = await database.query<{ view: string; seconds: number }>(COMPRESSION_SQL);
  const [chunk] = await database.query<{ seconds: number }>(CHUNK_SQL);
  const levels = AGGREGATE_LEVELS.map(({ name, view }): [LevelName, LevelTimes] => {
    const window = windows.get(name);
    const age = compression.find((row) => row.view === view)?.seconds;
    if (window === undefined) throw new Error(`No refresh window for ${name}.`);
    return [
      name,
      {
        refreshFromDays: window.startOffsetSeconds / SECONDS_PER_DAY,
        refreshToDays: window.endOffsetSeconds / SECONDS_PER_DAY,
        // Without a policy it is never compressed, which is safe.
        compressAfterDays: age === undefined ? Infinity : age / SECONDS_PER_DAY,
      },
    ];
  });
  return {
    levels: Object.fromEntries(levels) as Record<LevelName, LevelTimes>,
    chunkDays: (chunk?.seconds ?? SECONDS_PER_DAY) / SECONDS_PER_DAY,
  };
}

/** The policy holds the age, so that whoever looks at the database sees what applies. Left alone where it says so already. */
const COMPRESSION_AGE_SQL = `
  SELECT alter_job(job_id, config => jsonb_set(config, '{compress_after}', to_jsonb(make_interval(days => $1)::text)))
  FROM timescaledb_information.jobs
  WHERE hypertable_schema = current_schema() AND hypertable_name = 'telemetry'
    AND proc_name IN ('policy_compression', 'policy_columnstore')
    AND (config ->> 'compress_after')::interval IS DISTINCT FROM make_interval(days => $1)`;

/** Makes readings compressed at this age from now on; does nothing without TimescaleDB community. */
export async function applyCompressionAge(database: Database, afterDays: number): Promise<void> {
  if (database.capabilities.timescale !== 'community') return;
  await database.query(COMPRESSION_AGE_SQL, [afterDays]);
}
