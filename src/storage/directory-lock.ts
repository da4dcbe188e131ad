/**
 * The exclusive lock of a data directory. Neither the embedded database nor the queue has one of its own: two
 * processes in the same directory would destroy it, so that this lock comes before anything is opened.
 *
 * The lock is a row of numbered files in `<dataDir>/lock`, of which the highest counts. Whoever finds that one
 * released, or left by a process that is gone, takes the lock by creating the next number. Creating is atomic and a
 * number is never used twice, so of several that judge the same file abandoned exactly one succeeds.
 */
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { OperationalError } from '../telemetry/operational-error.js';
import { dataDirectoryError, prepareDataDirectory, writeFormat } from './data-directory.js';
import { isRunning, ownIdentity, type ProcessIdentity } from './process-identity.js';

/** Who holds a directory. */
export interface DirectoryHolder extends ProcessIdentity {
  /** What it runs: `up`, `import` … */
  readonly command: string;
  /** RFC 3339. */
  readonly since: string;
  /** Where its API answers; null when it has none, or not yet. */
  readonly serviceUrl: string | null;
}

export interface DirectoryLock {
  /** Lets others know where the holder's API answers, so that they can use it instead of the directory. */
  setServiceUrl(url: string): void;
  /** Gives the directory free. Does nothing the second time. */
  release(): void;
}

/** A holder whose process cannot be looked up (another container) shows that it lives by touching its file. */
const HEARTBEAT_INTERVAL_MS = 5000;
const HEARTBEAT_LIMIT_MS = 30_000;

/** Attempts to take the lock while others take and release it at the same moment. */
const MAX_ATTEMPTS = 100;

interface LockFile {
  readonly number: number;
  readonly holder: DirectoryHolder | null;
}

const lockDirectory = (dataDir: string): string => join(dataDir, 'lock');
const lockPath = (dataDir: string, number: number): string => join(lockDirectory(dataDir), `${number}.json`);

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;

/**
 * Takes the directory for this process, creating it where it does not exist.
 * @throws OperationalError `directory_locked` (retryable), `directory_unusable`, `directory_too_new`
 */
export async function acquireDirectoryLock(dataDir: string, { command }: { command: string }): Promise<DirectoryLock> {
  await prepareDataDirectory(dataDir);
  const holder: DirectoryHolder = { ...ownIdentity(), command, since: new Date().toISOString(), serviceUrl: null };
  try {
    createLockDirectory(dataDir);
    const number = takeNumber(dataDir, holder);
    await writeFormat(dataDir);
    return hold(dataDir, number, holder);
  } catch (error) {
    throw dataDirectoryError(dataDir, error);
  }
}

/** Who holds the directory at present; undefined when nobody does, or when it does not exist. */
export function readDirectoryLock(dataDir: string): DirectoryHolder | undefined {
  const { holder, number } = readHighest(dataDir);
  return holder !== null && isHeld(dataDir, number, holder) ? holder : undefined;
}

function createLockDirectory(dataDir: string): void {
  try {
    mkdirSync(lockDirectory(dataDir));
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}

function takeNumber(dataDir: string, holder: DirectoryHolder): number {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const highest = readHighest(dataDir);
    if (highest.holder !== null && isHeld(dataDir, highest.number, highest.holder))
      throw lockedBy(dataDir, highest.holder);
    const number = highest.number + 1;
    if (!create(dataDir, number, holder)) continue;
    // Slow between reading and creating, one can come up with a number that the others have left behind long since.
    const numbers = listNumbers(dataDir);
    if (numbers.some((other) => other > number)) {
      rmSync(lockPath(dataDir, number));
      continue;
    }
    for (const older of numbers) if (older < number) rmSync(lockPath(dataDir, older), { force: true });
    return number;
  }
  throw new OperationalError(
    'directory_locked',
    `Too many processes want the data directory ${dataDir} at once. Try again.`,
    {
      retryable: true,
    },
  );
}

/** A file appears under its number with its whole content, or somebody else's is there already. */
function create(dataDir: string, number: number, holder: DirectoryHolder): boolean {
  const draft = join(lockDirectory(dataDir), `draft-${process.pid}-${holder.startTicks ?? ''}`);
  writeDurably(draft, JSON.stringify(holder));
  try {
    linkSync(draft, lockPath(dataDir, number));
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Durable before it gets its name: a power failure would otherwise leave a lock without content. */
function writeDurably(path: string, text: string): void {
  const file = openSync(path, 'w');
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function hold(dataDir: string, number: number, holder: DirectoryHolder): DirectoryLock {
  const path = lockPath(dataDir, number);
  let current: DirectoryHolder | null = holder;
  const replace = (content: DirectoryHolder | null): void => {
    writeDurably(`${path}.new`, JSON.stringify(content));
    renameSync(`${path}.new`, path);
    current = content;
  };
  const heartbeat = setInterval(() => touch(path), HEARTBEAT_INTERVAL_MS).unref();
  return {
    setServiceUrl(url) {
      if (current !== null) replace({ ...current, serviceUrl: url });
    },
    release() {
      if (current === null) return;
      clearInterval(heartbeat);
      // Not deleted: its number must not come again.
      replace(null);
    },
  };
}

function touch(path: string): void {
  try {
    utimesSync(path, new Date(), new Date());
  } catch (error) {
    // A full disk may refuse it for a while, and the limit has room for that. Where the directory is gone altogether,
    // whatever works in it fails by itself. Only a defect of ours may end the process here.
    if (!(error instanceof Error && 'syscall' in error)) throw error;
  }
}

function listNumbers(dataDir: string): number[] {
  try {
    return readdirSync(lockDirectory(dataDir))
      .map((name) => /^(\d+)\.json$/.exec(name)?.[1])
      .filter((number) => number !== undefined)
      .map(Number);
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return [];
    throw error;
  }
}

function readHighest(dataDir: string): LockFile {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const number = Math.max(0, ...listNumbers(dataDir));
    if (number === 0) return { number, holder: null };
    try {
      return { number, holder: readHolder(lockPath(dataDir, number)) };
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error; // removed a moment ago: there is a higher one
    }
  }
  throw new OperationalError('directory_locked', `The lock of ${dataDir} changes hands all the time. Try again.`, {
    retryable: true,
  });
}

function readHolder(path: string): DirectoryHolder | null {
  const text = readFileSync(path, 'utf8');
  try {
    return JSON.parse(text) as DirectoryHolder | null;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new OperationalError(
      'directory_unusable',
      `${path} is damaged, so nobody can say who holds the directory. Make sure that no process does, and delete the file.`,
      { cause: error },
    );
  }
}

function isHeld(dataDir: string, number: number, holder: DirectoryHolder): boolean {
  const running = isRunning(holder);
  if (running !== 'unknown') return running === 'yes';
  const file = statSync(lockPath(dataDir, number), { throwIfNoEntry: false });
  return file !== undefined && Date.now() - file.mtimeMs < HEARTBEAT_LIMIT_MS;
}

function lockedBy(dataDir: string, holder: DirectoryHolder): OperationalError {
  const { command, pid, since, serviceUrl } = holder;
  const remedy =
    serviceUrl === null ? 'Wait until it has finished, or stop it.' : `Use its API at ${serviceUrl}, or stop it.`;
  const elsewhere = isRunning(holder) === 'unknown' ? ' in another container or on another machine' : '';
  return new OperationalError(
    'directory_locked',
    `The data directory ${dataDir} is in use by \`downhole ${command}\` (process ${pid}${elsewhere}, since ${since}). ${remedy}`,
    { retryable: true },
  );
}
