/**
 * Compresses chunks past the age that their policy names, of `telemetry` and of the aggregates, one at a time.
 * Chunks that got rows after they were compressed (partial) are compressed again.
 */
import type { Database } from '../storage/database.js';
import type { JobContext, JobDefinition, JobOutcome } from './job.js';

/** A chunk this much past its age should have been compressed, whatever came in between. */
const FAULT_AFTER_DAYS = 2;

/** Bits of a chunk's status that ask for another compression: 2 = rows out of order, 8 = rows beside the compressed ones. */
const UNFINISHED_STATUS_BITS = 10;

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
    intervalSeconds: 3600,
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
  for (const chunk of chunks) {
    if (context.shouldYield()) return { detail: { compressed, waiting: chunks.length - compressed }, more: true };
    await context.slice(() =>
      // Half a compressed chunk helps nobody: no limit of time.
      context.database.transaction(
        (session) => session.execute('SELECT compress_chunk($1::regclass, if_not_compressed => true)', [chunk]),
        { statementTimeoutMs: 0 },
      ),
    );
    compressed++;
  }
  return { detail: { compressed }, more: false };
}
