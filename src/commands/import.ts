/** `downhole import FILE…`: data files into the database, directly or through the service that holds it. */
import { HttpTarget } from '../gateway/import/http-target.js';
import { ImportProgress } from '../gateway/import/import-progress.js';
import type { ImportTarget } from '../gateway/import/import-target.js';
import { IDENTITY_MAPPING, planImport, type PlannedFile } from '../gateway/import/plan-import.js';
import { readMapping } from '../gateway/import/read-mapping.js';
import { runImport } from '../gateway/import/run-import.js';
import { checkDeviceId } from '../pipeline/read-record.js';
import { readDirectoryLock } from '../storage/directory-lock.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { OutcomeCounts } from '../telemetry/outcome.js';
import { Closers } from './closers.js';
import { DirectImportTarget } from './direct-import-target.js';
import { createImportProgressBar } from './import-progress-bar.js';
import { loadSettings, type GlobalOptions, type Settings } from './load-settings.js';
import { openPlatform } from './open-platform.js';
import { readMappingFile } from './read-mapping-file.js';
import { ownServiceAccess } from './service-access.js';

export interface ImportOptions extends GlobalOptions {
  readonly mapping?: string;
  readonly device?: string;
  /** true = without a reason of its own. */
  readonly hold?: string | boolean;
  readonly restart?: boolean;
}

/** Retention has nothing to say about what somebody imported on purpose. */
const DEFAULT_HOLD_REASON = 'imported with --hold';

/**
 * Imports the files and prints `stored N, merged N, duplicate N, dead-lettered N, of N` on stdout.
 * @throws OperationalError `wrong_usage`, `invalid_configuration`, `file_unreadable`, `interrupted`, or what the target throws
 */
export async function importFiles(files: readonly string[], options: ImportOptions): Promise<void> {
  const settings = loadSettings(options, process.env['DOWNHOLE_LOG_LEVEL'] === undefined ? { logLevel: 'warn' } : {});
  const planned = await plan(files, options);
  const progress = new ImportProgress(settings.config.dataDir);
  if (options.restart === true) for (const { key } of planned) await progress.forget(key);
  const hold = options.hold === true ? DEFAULT_HOLD_REASON : options.hold === false ? undefined : options.hold;
  const closers = new Closers();
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    const target = await openTarget(settings, closers);
    const bar = createImportProgressBar(planned.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
    closers.add(() => bar.stop());
    const report = (bytes: number, records: number): void => bar.update(bytes, records);
    const outcomes = await runImport({ files: planned, target, progress, hold, report, stopping: stopping.signal });
    bar.stop();
    printOutcomes(outcomes);
  } finally {
    await closers.close();
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

async function plan(files: readonly string[], { mapping, device }: ImportOptions): Promise<PlannedFile[]> {
  if (device !== undefined && files.length > 1)
    throw new OperationalError(
      'wrong_usage',
      `--device names one device, and there are ${files.length} files; import them one by one, or let the mapping say which is which`,
    );
  const mappingText = mapping === undefined ? '' : readMappingFile(mapping);
  const planned = await planImport({
    files,
    mapping: mapping === undefined ? IDENTITY_MAPPING : readMapping(mappingText, mapping),
    mappingText,
    deviceId: device,
  });
  for (const { path, deviceId } of planned) {
    const problem = deviceId === undefined ? undefined : checkDeviceId(deviceId);
    if (problem !== undefined) throw new OperationalError('wrong_usage', `${path}: ${problem.message}`);
  }
  return planned;
}

/** The service that holds the data directory, or the directory itself when nobody does. */
async function openTarget(settings: Settings, closers: Closers): Promise<ImportTarget> {
  const holder = readDirectoryLock(settings.config.dataDir);
  if (holder?.serviceUrl != null) {
    process.stderr.write(`downhole: importing through the service at ${holder.serviceUrl}\n`);
    return new HttpTarget(ownServiceAccess(settings.config, holder.serviceUrl));
  }
  const platform = await openPlatform(settings, 'import');
  closers.add(() => platform.close());
  return new DirectImportTarget(platform);
}

function printOutcomes({ stored, merged, duplicate, dead_lettered: dead, rejected }: OutcomeCounts): void {
  const total = stored + merged + duplicate + dead + rejected;
  if (dead > 0)
    process.stderr.write(
      `downhole: ${dead} rows could not be stored; the table dead_letters has each with its reason\n`,
    );
  process.stdout.write(
    `stored ${stored}, merged ${merged}, duplicate ${duplicate}, dead-lettered ${dead}, of ${total}\n`,
  );
}
