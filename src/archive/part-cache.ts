/** Parts of the archive on this machine's disk, for a reader that wants files: bounded, and checked each time. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { OperationalError } from '../telemetry/operational-error.js';
import { readObject, type ObjectStore } from './object-store.js';
import type { ArchivePart, PartFigures } from './part-table.js';

export interface CacheableParts {
  readonly part: Pick<ArchivePart, 'objectKey'>;
  readonly figures: Pick<PartFigures, 'bytes' | 'sha256'>;
}

export class PartCache {
  readonly #store: ObjectStore;
  readonly #directory: string;
  readonly #maxBytes: number;

  constructor(store: ObjectStore, directory: string, maxBytes: number) {
    this.#store = store;
    this.#directory = directory;
    this.#maxBytes = maxBytes;
  }

  /** Where things that belong to a single reader may lie; the reader removes them. */
  get directory(): string {
    return this.#directory;
  }

  /**
   * Paths of the parts, in their order, below folders named as in the archive. What is there already is hashed again; what is
   * not is fetched, for which parts that were not used for longest go.
   * @throws OperationalError `archive_cache_full` where they are more than the bound, `archive_damaged`, and of the store
   */
  async fetch(parts: readonly CacheableParts[]): Promise<string[]> {
    const needed = parts.reduce((sum, { figures }) => sum + figures.bytes, 0);
    if (needed > this.#maxBytes) {
      throw new OperationalError(
        'archive_cache_full',
        `${parts.length} parts of the archive would have to be fetched, ${megabytes(needed)}, and the cache holds ${megabytes(this.#maxBytes)}. ` +
          'Give a shorter range by --from and --to, or a larger --cache-mb.',
      );
    }
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const paths = parts.map(({ part }) => join(this.#directory, part.objectKey));
    await this.#makeRoom(needed, new Set(paths));
    for (const [index, { part, figures }] of parts.entries())
      await this.#bring(part.objectKey, figures, paths[index] as string);
    return paths;
  }

  async #bring(objectKey: string, figures: CacheableParts['figures'], path: string): Promise<void> {
    if (await isSame(path, figures)) {
      const now = new Date();
      return utimes(path, now, now);
    }
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const incomplete = `${path}.${process.pid}.incomplete`;
    try {
      const sha256 = await this.#download(objectKey, incomplete);
      if (sha256 !== figures.sha256) {
        throw new OperationalError(
          'archive_damaged',
          `${objectKey} has other bytes than were written. Run "downhole archive verify", and see docs/runbooks/archive.md.`,
        );
      }
      await rename(incomplete, path);
    } finally {
      await rm(incomplete, { force: true });
    }
  }

  async #download(objectKey: string, path: string): Promise<string> {
    const hash = createHash('sha256');
    const file = createWriteStream(path, { mode: 0o600 });
    // Without a listener from the start, a disk that is full would end the process.
    const closed = once(file, 'close');
    closed.catch(ignoreUntilAwaited);
    try {
      for await (const piece of readObject(this.#store, objectKey)) {
        hash.update(piece);
        if (!file.write(piece)) await once(file, 'drain');
      }
    } finally {
      file.end();
      await closed;
    }
    return hash.digest('hex');
  }

  /** Removes parts that are not needed now, those used longest ago first, until what is needed fits. */
  async #makeRoom(neededBytes: number, needed: ReadonlySet<string>): Promise<void> {
    const names = (await readdir(this.#directory, { recursive: true })).filter((name) => name.endsWith('.parquet'));
    const files = await Promise.all(
      names.map(async (name) => {
        const path = join(this.#directory, name);
        const { size, mtimeMs } = await stat(path);
        return { path, size, mtimeMs };
      }),
    );
    const others = files.filter(({ path }) => !needed.has(path)).sort((one, other) => one.mtimeMs - other.mtimeMs);
    let bytes = neededBytes + others.reduce((sum, { size }) => sum + size, 0);
    for (const { path, size } of others) {
      if (bytes <= this.#maxBytes) return;
      await rm(path, { force: true });
      bytes -= size;
    }
  }
}

async function isSame(path: string, { bytes, sha256 }: CacheableParts['figures']): Promise<boolean> {
  try {
    if ((await stat(path)).size !== bytes) return false;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) hash.update(piece);
  return hash.digest('hex') === sha256;
}

function ignoreUntilAwaited(): void {}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;
