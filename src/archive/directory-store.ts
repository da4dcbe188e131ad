import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { OperationalError } from '../telemetry/operational-error.js';
import { checkObjectName, objectExists, objectMissing, type ObjectStore, type StoredObject } from './object-store.js';

/** Where objects lie until they are whole. No object can be called so: names do not begin with a dot. */
const INCOMPLETE = '.incomplete';
/** An incomplete object this old was left by a killed process. */
const ABANDONED_AFTER_MS = 24 * 3_600_000;

/** The archive as a directory: an object is a file of its name. */
export class DirectoryStore implements ObjectStore {
  readonly address: string;
  readonly #root: string;
  #tidied: Promise<void> | undefined;

  /** @param root made when the first object is stored */
  constructor(root: string) {
    this.#root = root;
    this.address = root;
  }

  put(name: string, content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<StoredObject> {
    checkObjectName(name);
    return this.#attempt(name, async () => {
      const path = join(this.#root, name);
      const incomplete = join(this.#root, INCOMPLETE, randomUUID());
      await mkdir(dirname(incomplete), { recursive: true });
      await (this.#tidied ??= this.#tidy());
      try {
        const bytes = await writeDurably(incomplete, content);
        const made = await mkdir(dirname(path), { recursive: true });
        // A link, since a rename would take the place of what is there.
        await link(incomplete, path);
        await this.#syncDirectories(dirname(path), made);
        return { name, bytes };
      } finally {
        await rm(incomplete, { force: true });
      }
    });
  }

  read(name: string, from: number, length: number): Promise<Uint8Array> {
    checkObjectName(name);
    return this.#attempt(name, async () => {
      const file = await open(join(this.#root, name));
      try {
        return await readFully(file, from, length);
      } finally {
        await file.close();
      }
    });
  }

  async head(name: string): Promise<StoredObject | undefined> {
    checkObjectName(name);
    try {
      const found = await this.#attempt(name, () => stat(join(this.#root, name)));
      return found.isFile() ? { name, bytes: found.size } : undefined;
    } catch (error) {
      if (error instanceof OperationalError && error.code === 'archive_object_missing') return undefined;
      throw error;
    }
  }

  async *list(prefix: string): AsyncGenerator<StoredObject> {
    // Only where names can begin so: the whole of a year is not looked through for a day.
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    if (folder !== '') checkObjectName(folder.slice(0, -1));
    for await (const object of this.#walk(join(this.#root, folder))) if (object.name.startsWith(prefix)) yield object;
  }

  /** Files below a directory, by name as a whole: `a/b` stands before `a=c`, and after `a.b`. */
  async *#walk(directory: string): AsyncGenerator<StoredObject> {
    const entries = await this.#entries(directory);
    const sortName = (entry: { name: string; isDirectory(): boolean }): string =>
      entry.isDirectory() ? `${entry.name}/` : entry.name;
    entries.sort((one, other) => (sortName(one) < sortName(other) ? -1 : 1));
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      const path = join(directory, entry.name);
      if (entry.isDirectory()) yield* this.#walk(path);
      else {
        const name = relative(this.#root, path).split(sep).join('/');
        yield { name, bytes: (await this.#attempt(name, () => stat(path))).size };
      }
    }
  }

  #entries(directory: string) {
    return this.#attempt(directory, async () => {
      try {
        return await readdir(directory, { withFileTypes: true });
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return []; // nothing has been stored there yet
        throw error;
      }
    });
  }

  /** Removes what killed processes have left. */
  async #tidy(): Promise<void> {
    const directory = join(this.#root, INCOMPLETE);
    for (const entry of await this.#entries(directory)) {
      const path = join(directory, entry.name);
      const age = await stat(path).then(
        ({ mtimeMs }) => Date.now() - mtimeMs,
        () => 0, // whoever was writing it has just finished
      );
      if (age > ABANDONED_AFTER_MS) await rm(path, { force: true });
    }
  }

  /** The name of a file is durable once its directory is, and those that had to be made for it are in theirs. */
  async #syncDirectories(directory: string, firstMade: string | undefined): Promise<void> {
    const last = firstMade === undefined ? directory : dirname(firstMade);
    for (let path = directory; ; path = dirname(path)) {
      const handle = await open(path);
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
      if (path === last || path === dirname(path)) return;
    }
  }

  async #attempt<T>(name: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const code = codeOf(error);
      if (code === 'EEXIST') throw objectExists(this, name, error);
      if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') throw objectMissing(this, name, error);
      if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') throw refused(this.address, error);
      if (code === undefined) throw error;
      throw new OperationalError(
        'archive_unavailable',
        `The archive in ${this.address} cannot be read or written (${code}). Is its disk full or away?`,
        { retryable: true, cause: error },
      );
    }
  }
}

async function writeDurably(path: string, content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<number> {
  const file = await open(path, 'wx');
  try {
    let bytes = 0;
    for await (const chunk of content) {
      await file.writeFile(chunk);
      bytes += chunk.length;
    }
    await file.sync();
    return bytes;
  } finally {
    await file.close();
  }
}

async function readFully(file: FileHandle, from: number, length: number): Promise<Uint8Array> {
  const { size } = await file.stat();
  const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(length, size - from)));
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, from + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

/** The code of a failed system call; undefined for anything else, which is not the directory's fault. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('syscall' in error)) return undefined;
  return String((error as NodeJS.ErrnoException).code);
}

const refused = (address: string, cause: unknown): OperationalError =>
  new OperationalError(
    'archive_refused',
    `The archive in ${address} may not be read or written by this user. Give it the right to, or set archive.url.`,
    { cause },
  );
