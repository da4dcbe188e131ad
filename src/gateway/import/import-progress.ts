/**
 * How far imports have come, a small file each, so that a killed one goes on where it was. Written after each
 * committed batch: at worst a batch is read twice, and its rows come back as duplicates.
 */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OUTCOMES, zeroOutcomes, type OutcomeCounts } from '../../telemetry/outcome.js';
import type { Position } from './source-row.js';

export interface FileProgress {
  /** Where reading goes on; null = from the beginning. */
  position: Position | null;
  outcomes: OutcomeCounts;
  /** Device → first and last timestamp (epoch microseconds) of what was imported; for the hold. */
  ranges: Record<string, [number, number]>;
  /** The whole file is in. Kept until all files of the command are. */
  finished: boolean;
}

export class ImportProgress {
  readonly #directory: string;

  /** @param dataDir progress lives in its folder `imports` */
  constructor(dataDir: string) {
    this.#directory = join(dataDir, 'imports');
  }

  /** The progress of an import; a fresh one when there is none, or none that can be read. */
  async load(key: string): Promise<FileProgress> {
    const fresh: FileProgress = { position: null, outcomes: zeroOutcomes(), ranges: {}, finished: false };
    let text: string;
    try {
      text = await readFile(this.#path(key), 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return fresh;
      throw error;
    }
    return parseProgress(text) ?? fresh;
  }

  /** Replaces the file at once. Not synced: what a power cut takes of it is read again, and changes nothing. */
  async save(key: string, progress: FileProgress): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    const draft = `${this.#path(key)}.${process.pid}`;
    await writeFile(draft, JSON.stringify(progress));
    await rename(draft, this.#path(key));
  }

  async forget(key: string): Promise<void> {
    await rm(this.#path(key), { force: true });
  }

  #path(key: string): string {
    return join(this.#directory, `${key}.json`);
  }
}

function parseProgress(text: string): FileProgress | undefined {
  let value: Partial<FileProgress>;
  try {
    value = JSON.parse(text) as Partial<FileProgress>;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined; // cut off by a power failure
    throw error;
  }
  const { position, outcomes, ranges, finished } = value;
  const counted = outcomes !== undefined && OUTCOMES.every((name) => Number.isSafeInteger(outcomes[name]));
  const placed = position === null || (Number.isSafeInteger(position?.offset) && Number.isSafeInteger(position?.line));
  if (!counted || !placed || position === undefined || ranges === undefined || finished === undefined) return undefined;
  return { position, outcomes, ranges, finished };
}
