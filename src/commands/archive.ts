/** `downhole archive run | list | verify`: old readings as Parquet in an object store. */
import type { Archiver, ChunkOutcome } from '../archive/archiver.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { formatTimestamp } from '../telemetry/timestamp.js';
import { loadSettings, type GlobalOptions } from './load-settings.js';
import { openArchiver } from './open-archiver.js';
import { printLine, printTable } from './print-table.js';
import { refuseOlderSchema } from './schema-state.js';
import { withDatabase } from './with-database.js';

export interface ArchiveOptions extends GlobalOptions {
  readonly json?: boolean;
}

const OUTCOMES: Readonly<Record<ChunkOutcome, string>> = {
  archived: 'archived and verified',
  unchanged: 'is archived as it is',
  empty: 'has no rows',
  busy: 'is being archived by another process',
};

/** Archives what is due. @throws OperationalError of the database and of the store */
export async function runArchive(options: ArchiveOptions): Promise<void> {
  const isJson = options.json === true;
  await withArchiver(options, async (archiver) => {
    const chunks: { from: string; to: string; outcome: ChunkOutcome }[] = [];
    const result = await archiver.run({
      uncheckedHours: 0,
      onChunk({ startUs, endUs }, outcome) {
        const chunk = { from: formatTimestamp(startUs), to: formatTimestamp(endUs), outcome };
        chunks.push(chunk);
        if (!isJson) printLine(`${chunk.from} to ${chunk.to}: ${OUTCOMES[outcome]}`);
      },
    });
    if (isJson) printJson({ archive: archiver.address, ...result.counts, chunks });
    else printLine(`${result.counts.archived} of ${chunks.length} chunks archived in ${archiver.address}`);
  });
}

/** Prints every part, with its state. */
export async function listArchive(options: ArchiveOptions): Promise<void> {
  await withArchiver(options, async (archiver) => {
    const parts = await archiver.list();
    if (options.json === true) {
      printJson({
        archive: archiver.address,
        parts: parts.map(({ range, figures, id: _id, ...part }) => ({
          from: formatTimestamp(range.startUs),
          to: formatTimestamp(range.endUs),
          ...part,
          rows: figures?.tally.rows ?? null,
          bytes: figures?.bytes ?? null,
          fingerprint: figures?.fingerprint ?? null,
          sha256: figures?.sha256 ?? null,
          columns: figures?.tally.columns ?? null,
        })),
      });
      return;
    }
    printTable(
      ['from', 'to', 'revision', 'state', 'rows', 'bytes', 'object'],
      parts.map(({ range, revision, state, figures, objectKey }) => [
        formatTimestamp(range.startUs),
        formatTimestamp(range.endUs),
        String(revision),
        state,
        figures === undefined ? '' : String(figures.tally.rows),
        figures === undefined ? '' : String(figures.bytes),
        objectKey,
      ]),
    );
    printLine(`${parts.length} parts in ${archiver.address}`);
  });
}

/** Reads all that counts from the store again. @throws OperationalError `archive_damaged` if anything is wrong with it */
export async function verifyArchive(options: ArchiveOptions): Promise<void> {
  const isJson = options.json === true;
  await withArchiver(options, async (archiver) => {
    const found: { object: string; revision: number; damage: string | null }[] = [];
    for await (const { part, damage } of archiver.verify()) {
      found.push({ object: part.objectKey, revision: part.revision, damage: damage ?? null });
      if (!isJson) printLine(`${part.objectKey}: ${damage ?? 'right'}`);
    }
    const damaged = found.filter(({ damage }) => damage !== null).length;
    if (isJson) printJson({ archive: archiver.address, parts: found, damaged });
    else printLine(`${found.length} parts read, ${damaged} damaged, in ${archiver.address}`);
    if (damaged === 0) return;
    throw new OperationalError(
      'archive_damaged',
      `${damaged} of ${found.length} parts are damaged or missing. Run "downhole archive run": it makes those again whose rows are ` +
        'still in the database. For the others see docs/runbooks/archive.md.',
    );
  });
}

async function withArchiver(options: GlobalOptions, work: (archiver: Archiver) => Promise<void>): Promise<void> {
  const quiet = process.env['DOWNHOLE_LOG_LEVEL'] === undefined ? { logLevel: 'warn' } : {};
  const settings = loadSettings(options, quiet);
  await withDatabase(settings, 'archive', async (database) => {
    await refuseOlderSchema(database, settings);
    await work(await openArchiver(settings, database));
  });
}

const printJson = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
