/** Files → batches → target, one batch being prepared while the one before it is written. */
import { OUTCOMES, zeroOutcomes, type OutcomeCounts } from '../../telemetry/outcome.js';
import { OperationalError } from '../../telemetry/operational-error.js';
import type { FileProgress, ImportProgress } from './import-progress.js';
import type { ImportTarget } from './import-target.js';
import type { MappedRow } from './map-row.js';
import type { PlannedFile } from './plan-import.js';
import type { Position } from './source-row.js';

export interface ImportRun {
  readonly files: readonly PlannedFile[];
  readonly target: ImportTarget;
  readonly progress: ImportProgress;
  /** Reason of the hold over what is imported; undefined = none. */
  readonly hold: string | undefined;
  /** Told after every batch: bytes of the files that are done, and records handed over by this run. */
  readonly report: (bytes: number, records: number) => void;
  /** Stops between two batches. */
  readonly stopping: AbortSignal;
}

const BATCH_RECORDS = 2000;
const BATCH_CHARACTERS = 1_000_000;

/**
 * Imports all files, those that an interrupted run left behind from where it stopped.
 * @returns what became of all their rows, those of interrupted runs included
 * @throws OperationalError; running it again goes on from there
 */
export async function runImport(run: ImportRun): Promise<OutcomeCounts> {
  const total = zeroOutcomes();
  let doneBytes = 0;
  let records = 0;
  for (const file of run.files) {
    const progress = await run.progress.load(file.key);
    const report = (added: number): void => {
      records += added;
      run.report(doneBytes + file.sizeBytes * file.source.readShare(), records);
    };
    if (!progress.finished) await importFile(run, file, progress, report);
    doneBytes += file.sizeBytes;
    for (const name of OUTCOMES) total[name] += progress.outcomes[name];
    if (run.hold !== undefined) await holdRanges(run.target, progress, run.hold);
    run.report(doneBytes, records);
  }
  await run.target.finish();
  for (const file of run.files) await run.progress.forget(file.key);
  return total;
}

async function importFile(
  run: ImportRun,
  file: PlannedFile,
  progress: FileProgress,
  report: (records: number) => void,
): Promise<void> {
  let batch = new Batch(file);
  let writing: Promise<void> = Promise.resolve();
  const write = async (full: Batch): Promise<void> => {
    const outcomes = await run.target.ingest(full.body(), full.length);
    full.settle(progress, outcomes);
    await run.progress.save(file.key, progress);
    report(full.length);
  };
  try {
    for await (const rows of file.source.rows(progress.position ?? undefined)) {
      for (const row of rows) {
        batch.add(file.mapper.map(row), row.next);
        if (!batch.isFull()) continue;
        await writing;
        if (run.stopping.aborted) throw interrupted();
        writing = write(batch);
        // Whoever awaits it next gets the failure; until then it must not count as unhandled.
        writing.catch(() => undefined); // awaited above or below
        batch = new Batch(file);
      }
    }
  } finally {
    await writing;
  }
  if (batch.length > 0) await write(batch);
  progress.finished = true;
  await run.progress.save(file.key, progress);
}

async function holdRanges(target: ImportTarget, progress: FileProgress, reason: string): Promise<void> {
  for (const [deviceId, [fromUs, lastUs]] of Object.entries(progress.ranges))
    await target.hold({ deviceId, fromUs, toUs: lastUs + 1, reason });
}

const interrupted = (): OperationalError =>
  new OperationalError('interrupted', 'Interrupted. Run the same command again: it goes on from here.', {
    retryable: true,
  });

/** Records of one file on their way. */
class Batch {
  readonly #file: PlannedFile;
  readonly #rows: MappedRow[] = [];
  #characters = 0;
  #next: Position | null = null;

  constructor(file: PlannedFile) {
    this.#file = file;
  }

  get length(): number {
    return this.#rows.length;
  }

  add(row: MappedRow, next: Position): void {
    this.#rows.push(row);
    this.#characters += row.json.length;
    this.#next = next;
  }

  isFull(): boolean {
    return this.#rows.length >= BATCH_RECORDS || this.#characters >= BATCH_CHARACTERS;
  }

  body(): Uint8Array {
    return Buffer.from(`${this.#file.envelope}${this.#rows.map(({ json }) => json).join(',')}]}`);
  }

  /** Notes what became of the batch and where the next one begins. */
  settle(progress: FileProgress, outcomes: OutcomeCounts): void {
    const sum = OUTCOMES.reduce((count, name) => count + outcomes[name], 0);
    if (sum !== this.#rows.length)
      throw new Error(`a batch of ${this.#rows.length} records came back as ${JSON.stringify(outcomes)}`);
    for (const name of OUTCOMES) progress.outcomes[name] += outcomes[name];
    progress.position = this.#next;
    // Also without a hold: when the run that goes on from here is given one, it is about the whole file.
    for (const { deviceId, timestampUs } of this.#rows) {
      if (deviceId === undefined || timestampUs === undefined) continue;
      const range = progress.ranges[deviceId];
      if (range === undefined) progress.ranges[deviceId] = [timestampUs, timestampUs];
      else {
        range[0] = Math.min(range[0], timestampUs);
        range[1] = Math.max(range[1], timestampUs);
      }
    }
  }
}
