/** Old against new, day by day: how many rows, and the sum of their hashes, in one snapshot while writers go on. */
import type { Database } from '../storage/database.js';
import { inHome, type LegacyProgress } from './progress.js';
import { rowSql, STAGE } from './row-sql.js';

export interface DayDifference {
  /** UTC; null for rows without a time. */
  readonly day: string | null;
  readonly oldRows: number;
  readonly newRows: number;
  readonly setAside: number;
}

export interface LegacyVerification {
  readonly days: number;
  readonly oldRows: number;
  readonly newRows: number;
  readonly setAside: number;
  /** Days whose rows are not the same; also where the counts are, and the checksums are not. */
  readonly differences: readonly DayDifference[];
}

interface DayRow extends Record<string, unknown>, DayDifference {
  readonly equal: boolean;
}

/**
 * Compares every row that the old table has with what became of it. Before the swap only: afterwards the new table has rows
 * that the old one does not have.
 */
export async function verifyLegacy(database: Database, progress: LegacyProgress): Promise<LegacyVerification> {
  const sql = rowSql(progress.plan);
  const rows = await database.transaction(
    (session) =>
      session.query<DayRow>(`
        WITH parts AS (
          SELECT 'old' AS part, ${sql.day(sql.time('s'))} AS day, count(*) AS n, sum(${sql.hash('s')}::numeric) AS total
            FROM ${inHome(progress, 'telemetry')} s GROUP BY 2
          UNION ALL
          SELECT 'new', ${sql.day('t."timestamp"')}, count(*), sum(${sql.hashOfTarget('t')}::numeric) FROM ${STAGE}.telemetry t GROUP BY 2
          UNION ALL
          SELECT 'aside', day, count(*), sum(row_hash::numeric) FROM ${inHome(progress, 'legacy_set_aside')} GROUP BY 2
        )
        SELECT day::text AS day,
               coalesce(sum(n) FILTER (WHERE part = 'old'), 0)::bigint AS "oldRows",
               coalesce(sum(n) FILTER (WHERE part = 'new'), 0)::bigint AS "newRows",
               coalesce(sum(n) FILTER (WHERE part = 'aside'), 0)::bigint AS "setAside",
               sum(CASE part WHEN 'old' THEN n ELSE -n END) = 0 AND sum(CASE part WHEN 'old' THEN total ELSE -total END) = 0 AS equal
          FROM parts GROUP BY day ORDER BY day`),
    { isolation: 'repeatable read', readOnly: true, statementTimeoutMs: 0 },
  );
  const sum = (of: (row: DayRow) => number): number => rows.reduce((total, row) => total + of(row), 0);
  return {
    days: rows.length,
    oldRows: sum((row) => row.oldRows),
    newRows: sum((row) => row.newRows),
    setAside: sum((row) => row.setAside),
    differences: rows
      .filter(({ equal }) => !equal)
      .map(({ day, oldRows, newRows, setAside }) => ({ day, oldRows, newRows, setAside })),
  };
}
