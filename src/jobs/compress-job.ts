/**
 * Compresses chunks past the age that their policy names, of `telemetry` and of the aggregates, one at a time.
 * Chunks that got rows after they were compressed (partial) are compressed again.
 */
import { UNFINISHED_STATUS_BITS } from '../storage/chunk-statistics.js';
import type { Database } from '../storage/database.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { JobContext, JobDefinition, JobOutcome } from './job.js';

/** A chunk this much past its age should have been compressed, whatever came in between. */
const FAULT_AFTER_DAYS = 2;

/** Whoever wants to write into a chunk queues up behind the wait for its lock. */
const LOCK_TIMEOUT_MS = 5000;

/**
 * serialization_failure (TimescaleDB gives up compressing again what is being written to), deadlock_detected and
 * lock_not_available: somebody is writing into the chunk.
 */
const IN_USE_STATES: ReadonlySet<unknown> = new Set(['40001', '40P01', '55P03']);

/**
 * Chunks with days in `late_days` wait: their aggregates are about to be refreshed, and more rows may be on their way.
 * $1: days beyond the age of the policy.
 */
const OVERDUE_SQL = `
  SELECT format('%I.%I', c.chunk_schema, c.chunk_name) AS chunk
  FROM (
    SELECT h.schema_name, h.table_name, (j.config ->> 'compress_after')::interval AS age
    FROM timescaledb_information.jobs j
    JOIN _timescaledb_catalog.hypertable h ON h.id = (j.config ->> 'hypertable_id')::int
    WHERE j.proc_name IN ('policy_compression', 'policy_columnstore')
  ) policy
  JOIN timescaledb_information.chunks c
    ON c.hypertable_schema = policy.schema_name AND c.hypertable_name = policy.table_name
  WHERE c.range_end < now() - policy.age - make_interval(days => $1)
    AND (NOT c.is_compressed OR
      _timescaledb_functions.chunk_status(format('%I.%I', c.chunk_schema, c.chunk_name)::regclass) & ${UNFINISHED_STATUS_BITS} <> 0)
    AND NOT EXISTS (
      SELECT FROM late_days l
      WHERE l.day::timestamp AT TIME ZONE 'UTC' < c.range_end
        AND (l.day + 1)::timestamp AT TIME ZONE 'UTC' > c.range_start)
  ORDER BY c.range_start`;

export function compressJob(): JobDefinition {
  return {
    name: 'compress',
    description: 'compresses chunks past the age of their policy, one at a time',
    lane: 'chunks',
    intervalSeconds: 300,
    initialDelaySeconds: 20,
    run: compressOverdue,
    async findFault(database) {
      const overdue = await findOverdue(database, FAULT_AFTER_DAYS);
      if (overdue.length === 0) return null;
      return `${overdue.length} chunks should have been compressed more than ${FAULT_AFTER_DAYS} days ago`;
    },
  };
}

async function findOverdue(database: Database, days: number): Promise<string[]> {
  const rows = await database.query<{ chunk: string }>(OVERDUE_SQL, [days]);
  return rows.map(({ chunk }) => chunk);
}

async function compressOverdue(context: JobContext): Promise<JobOutcome> {
  const chunks = await findOverdue(context.database, 0);
  let compressed = 0;
  let postponed = 0;
  const failures: unknown[] = [];
  for (const chunk of chunks) {
    if (context.shouldYield()) {
      if (failures.length > 0) break;
      return { detail: { compressed, postponed, waiting: chunks.length - compressed - postponed }, more: true };
    }
    try {
      if (await context.slice(() => compressUnlessInUse(context.database, chunk))) compressed++;
      else postponed++;
    } catch (error) {
      // One chunk that cannot be compressed must not keep those behind it from it for ever.
      if (!(error instanceof OperationalError)) throw error;
      failures.push(error);
      if (error.retryable) break; // the database as a whole
    }
  }
  if (failures.length > 0) throw failures[0];
  return { detail: { compressed, postponed }, more: false };
}

/** False when somebody is writing into the chunk: its turn comes again, and those behind it need not wait for that. */
async function compressUnlessInUse(database: Database, chunk: string): Promise<boolean> {
  try {
    await database.transaction(
      async (session) => {
        await session.execute(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
        await session.execute('SELECT compress_chunk($1::regclass, if_not_compressed => true)', [chunk]);
      },
      // Half a compressed chunk helps nobody: no limit of time.
      { statementTimeoutMs: 0 },
    );
    return true;
  } catch (error) {
    if (isInUse(error)) return false;
    throw error;
  }
}

function isInUse(error: unknown): boolean {
  if (!(error instanceof OperationalError)) return false;
  const { cause } = error;
  return cause instanceof Error && 'code' in cause && IN_USE_STATES.has(cause.code);
}
