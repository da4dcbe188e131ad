/** How far a migration is: one row in the database, written in the same transaction as what it says. */
import type { Session } from '../storage/database.js';
import type { ColumnPlan } from './column-plan.js';
import { STAGE } from './row-sql.js';

/**
 * - `prepared`: the new tables are there, empty, and nothing is mirrored.
 * - `copying`: every change of the old table is mirrored; blocks are copied until `copiedTo` is `endBlock`.
 * - `swapped`: the new table has the name; the keys of what changes in it are noted, for the way back.
 * - `rolled_back`: the old table has the name again, and the new ones are kept aside until they are discarded.
 */
export type LegacyPhase = 'prepared' | 'copying' | 'swapped' | 'rolled_back';

export interface LegacyProgress {
  readonly phase: LegacyPhase;
  /** Schema of the old table. */
  readonly home: string;
  readonly plan: ColumnPlan;
  /** Of the old table: another one means that somebody has rewritten it (VACUUM FULL, CLUSTER). */
  readonly fileNode: number;
  readonly copiedTo: number;
  /** Blocks that the old table had when mirroring began; what is written behind them is mirrored. */
  readonly endBlock: number;
  readonly batchBlocks: number;
}

const PROGRESS_SQL = `
  SELECT phase, home, plan, file_node AS "fileNode", copied_to AS "copiedTo", end_block AS "endBlock", batch_blocks AS "batchBlocks"
    FROM ${STAGE}.progress`;

/** Null where no migration has begun. */
export async function readProgress(session: Session): Promise<LegacyProgress | null> {
  const [there] = await session.query<{ there: boolean }>(
    `SELECT to_regclass('${STAGE}.progress') IS NOT NULL AS there`,
  );
  if (there?.there !== true) return null;
  const [progress] = await session.query<LegacyProgress & Record<string, unknown>>(PROGRESS_SQL);
  return progress ?? null;
}

/** A table of the schema that the old table is in. */
export const inHome = ({ home }: Pick<LegacyProgress, 'home'>, name: string): string =>
  `"${home.replaceAll('"', '""')}"."${name}"`;
