/** `downhole legacy`: an existing table `telemetry` becomes that of Downhole, under its writers. */
import { readLegacyMapping } from '../legacy/read-mapping.js';
import { inspectLegacy, scanLegacy } from '../legacy/inspect.js';
import {
  finishLegacy,
  migrateLegacy,
  rollbackLegacy,
  verifyNow,
  type LegacyContext,
} from '../legacy/legacy-migration.js';
import type { LegacyVerification } from '../legacy/verify.js';
import { readProgress } from '../legacy/progress.js';
import type { Database } from '../storage/database.js';
import { migrate } from '../storage/migrator.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { createCopyReport, inspectionText, STAGE_TEXTS, verificationText } from './legacy-text.js';
import { loadSettings, type GlobalOptions, type Settings } from './load-settings.js';
import { withDatabase } from './with-database.js';

/** As the command line gives them: texts. */
export interface LegacyOptions extends GlobalOptions {
  readonly mapping?: string;
  readonly scan?: boolean;
  readonly json?: boolean;
  readonly dryRun?: boolean;
  readonly rate?: string;
  readonly lockTimeout?: string;
  readonly attempts?: string;
  readonly swap?: boolean;
  readonly discard?: boolean;
  readonly dropOld?: boolean;
}

const DEFAULT_LOCK_TIMEOUT_MS = 2000;
const DEFAULT_ATTEMPTS = 60;

/** Prints what there is, and what would become of it. Exit code 0 also where something stands in the way. */
export async function inspectOldTable(options: LegacyOptions): Promise<void> {
  const settings = loadSettings(options);
  await withDatabase(settings, 'legacy', (database) => inspect(settings, database, options));
}

async function inspect(settings: Settings, database: Database, options: LegacyOptions): Promise<void> {
  const mapping = options.mapping === undefined ? {} : await readLegacyMapping(options.mapping);
  const inspection = await inspectLegacy(database, mapping, contextOf(settings, database, options).directory);
  const scan = options.scan === true ? await scanLegacy(database, inspection) : null;
  process.stdout.write(
    options.json === true ? `${JSON.stringify({ ...inspection, scan })}\n` : inspectionText(inspection, scan),
  );
}

/** Copies, compares, swaps, and brings the schema up to this version. */
export async function migrateOldTable(options: LegacyOptions): Promise<void> {
  const settings = loadSettings(options);
  const { config, events, schemaSubset } = settings;
  await alone(settings, async (database) => {
    if (options.dryRun === true && (await readProgress(database)) === null) return inspect(settings, database, options);
    if (options.dryRun === true)
      throw new OperationalError('wrong_usage', 'A migration is under way: a dry run has nothing to say.');
    const context = contextOf(settings, database, options);
    const report = createCopyReport((line) => process.stderr.write(`${line}\n`));
    let stop = false;
    const onSignal = (): void => void (stop = true);
    process.once('SIGINT', onSignal);
    process.once('SIGTERM', onSignal);
    const verification = await migrateLegacy(context, {
      mapping: options.mapping === undefined ? {} : await readLegacyMapping(options.mapping),
      rowsPerSecond: options.rate === undefined ? undefined : positive('--rate', options.rate),
      withoutSwap: options.swap === false,
      onStage: (stage) => process.stderr.write(`${STAGE_TEXTS[stage]}\n`),
      onProgress: report,
      stopped: () => stop,
    });
    if (verification !== null) process.stdout.write(verificationText(verification));
    if (options.swap === false) {
      process.stdout.write('not swapped: run `downhole legacy migrate` again when that may happen\n');
      return;
    }
    await migrate(database, { events, variables: { chunkHours: config.storage.chunkHours }, subset: schemaSubset });
    process.stdout.write('swapped: telemetry is the new table, telemetry_old the old one\n');
  });
}

/** Prints a comparison day by day. @throws OperationalError `legacy_unverified` when there are differences */
export async function verifyOldTable(options: LegacyOptions): Promise<void> {
  await withDatabase(loadSettings(options), 'legacy', async (database) => {
    const verification: LegacyVerification = await verifyNow(database);
    process.stdout.write(options.json === true ? `${JSON.stringify(verification)}\n` : verificationText(verification));
    if (verification.differences.length > 0)
      throw new OperationalError('legacy_unverified', `${verification.differences.length} days are not the same.`);
  });
}

export async function rollbackOldTable(options: LegacyOptions): Promise<void> {
  const settings = loadSettings(options);
  await alone(settings, async (database) => {
    const from = await rollbackLegacy(contextOf(settings, database, options), options.discard === true);
    const kept = from === 'swapped' && options.discard !== true;
    process.stdout.write(
      `rolled back: telemetry is the old table${kept ? '; the new one is kept in the schema downhole_legacy until `downhole legacy rollback --discard`' : ''}\n`,
    );
  });
}

export async function finishOldTable(options: LegacyOptions): Promise<void> {
  const settings = loadSettings(options);
  await alone(settings, async (database) => {
    await finishLegacy(contextOf(settings, database, options), options.dropOld === true);
    process.stdout.write(
      `finished: ${options.dropOld === true ? 'telemetry_old is dropped' : 'telemetry_old is kept'}\n`,
    );
  });
}

/** One command at a time changes anything. @throws OperationalError `legacy_busy` (retryable) */
async function alone(settings: Settings, work: (database: Database) => Promise<void>): Promise<void> {
  await withDatabase(settings, 'legacy', async (database) => {
    const done = await database.tryExclusive('legacy', async () => {
      await work(database);
      return true;
    });
    if (done !== true)
      throw new OperationalError(
        'legacy_busy',
        'Another `downhole legacy` is at work in this database. Wait for it, or end it.',
        {
          retryable: true,
        },
      );
  });
}

function contextOf({ config, schemaSubset }: Settings, database: Database, options: LegacyOptions): LegacyContext {
  return {
    database,
    schema: { subset: schemaSubset, variables: { chunkHours: config.storage.chunkHours } },
    directory: config.database.url === '' ? config.dataDir : null,
    patience: {
      lockTimeoutMs:
        options.lockTimeout === undefined ? DEFAULT_LOCK_TIMEOUT_MS : positive('--lock-timeout', options.lockTimeout),
      attempts: options.attempts === undefined ? DEFAULT_ATTEMPTS : positive('--attempts', options.attempts),
      onWait: (attempt) => process.stderr.write(`the table is locked by others; trying again (${attempt})\n`),
    },
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new OperationalError('wrong_usage', `${name} has to be a whole number above 0; it is "${text}".`);
}
