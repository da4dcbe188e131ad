/**
 * A plain table `telemetry` becomes the product's, under its writers: prepare, mirror, copy, verify, swap. Each stage is recorded in
 * the transaction that makes it, so that a killed run is begun again where it was. What the commands see of this room.
 */
import type { Database } from '../storage/database.js';
import { refuseUnfitDatabase, type StagedSchemaOptions } from '../storage/staged-schema.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { LegacyMapping } from './column-plan.js';
import { copyRows, type CopyOptions } from './copy.js';
import { inspectLegacy, type LegacyInspection } from './inspect.js';
import type { LockPatience } from './lock-retry.js';
import { prepare, startMirroring } from './prepare.js';
import { readProgress, type LegacyPhase, type LegacyProgress } from './progress.js';
import { abandon, discardKept, finishMigration, swapBack } from './rollback.js';
import { registerHistory, swapTables } from './swap.js';
import { verifyLegacy, type LegacyVerification } from './verify.js';

export interface LegacyContext {
  readonly database: Database;
  readonly schema: StagedSchemaOptions;
  readonly patience: LockPatience;
  /** Of the embedded database; null on a server. */
  readonly directory: string | null;
}

export interface MigrateLegacyOptions extends CopyOptions {
  readonly mapping: LegacyMapping;
  /** Copy and verify, and leave the swap to a later run. */
  readonly withoutSwap: boolean;
  readonly onStage: (stage: 'prepare' | 'mirror' | 'copy' | 'verify' | 'swap' | 'register') => void;
}

/**
 * Brings the migration to its end from wherever it is. Afterwards the remaining migrations of the schema are due.
 * @returns what the comparison before the swap found; null where an earlier run had swapped already
 * @throws OperationalError `legacy_obstacle`, `legacy_unverified`, `legacy_locked`, `legacy_stage`, `legacy_rewritten`,
 *   `interrupted`, `timescale_missing`, or the database's own
 */
export async function migrateLegacy(
  context: LegacyContext,
  options: MigrateLegacyOptions,
): Promise<LegacyVerification | null> {
  const { database, patience } = context;
  if ((await readProgress(database)) === null) {
    refuseUnfitDatabase(database, context.schema);
    const inspection = await inspectLegacy(database, options.mapping, context.directory);
    refuseObstacles(inspection);
    options.onStage('prepare');
    await prepare(database, inspection.home, inspection.plan, context.schema);
  }
  if ((await progressOf(database)).phase === 'prepared') {
    options.onStage('mirror');
    await startMirroring(database, await progressOf(database), patience);
  }
  const progress = await progressOf(database);
  if (progress.phase === 'rolled_back')
    throw wrongStage(progress.phase, 'Give up what was kept with `downhole legacy rollback --discard` first.');
  let verification: LegacyVerification | null = null;
  if (progress.phase === 'copying') {
    options.onStage('copy');
    await copyRows(database, progress, options);
    options.onStage('verify');
    verification = await verifyLegacy(database, progress);
    refuseDifferences(verification);
    if (options.withoutSwap) return verification;
    options.onStage('swap');
    await swapTables(database, progress, patience);
  }
  options.onStage('register');
  await registerHistory(database, progress);
  return verification;
}

/** Compares, at any time between the beginning of the copy and the swap. Before the copy is done, days that are not copied differ. */
export async function verifyNow(database: Database): Promise<LegacyVerification> {
  const progress = await progressOf(database);
  if (progress.phase !== 'copying')
    throw wrongStage(progress.phase, 'Old and new can be compared until the swap only.');
  return verifyLegacy(database, progress);
}

/** Back to the old table, from wherever the migration is. Returns the stage that it came from. */
export async function rollbackLegacy({ database, patience }: LegacyContext, discard: boolean): Promise<LegacyPhase> {
  const progress = await progressOf(database);
  if (progress.phase === 'swapped') await swapBack(database, progress, patience);
  else if (progress.phase !== 'rolled_back') await abandon(database, progress, patience);
  if (progress.phase === 'rolled_back' && !discard) {
    throw wrongStage(progress.phase, 'What is kept in the schema downhole_legacy goes with --discard.');
  }
  if (discard && (progress.phase === 'swapped' || progress.phase === 'rolled_back'))
    await discardKept(database, progress, patience);
  return progress.phase;
}

/** The end: no way back afterwards. */
export async function finishLegacy({ database, patience }: LegacyContext, dropOld: boolean): Promise<void> {
  const progress = await progressOf(database);
  if (progress.phase !== 'swapped')
    throw wrongStage(progress.phase, 'There is something to finish only after the swap.');
  await finishMigration(database, progress, patience, dropOld);
}

async function progressOf(database: Database): Promise<LegacyProgress> {
  const progress = await readProgress(database);
  if (progress !== null) return progress;
  throw new OperationalError('legacy_missing', 'No migration of an old table is under way in this database.');
}

function refuseObstacles({ obstacles }: LegacyInspection): void {
  if (obstacles.length === 0) return;
  throw new OperationalError('legacy_obstacle', `The table cannot be taken over yet. ${obstacles.join(' ')}`);
}

function refuseDifferences({ differences }: LegacyVerification): void {
  if (differences.length === 0) return;
  const days = differences.slice(0, 5).map(({ day }) => day ?? 'without a time');
  throw new OperationalError(
    'legacy_unverified',
    `${differences.length} days of the new table are not as in the old one (${days.join(', ')}); nothing was swapped. \`downhole legacy ` +
      'verify` lists them. Roll back and begin again, and keep writers from REPEATABLE READ meanwhile.',
  );
}

const wrongStage = (phase: LegacyPhase, remedy: string): OperationalError =>
  new OperationalError('legacy_stage', `The migration is at the stage "${phase}". ${remedy}`);
