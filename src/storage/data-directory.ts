import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OperationalError } from '../telemetry/operational-error.js';

/** Version of the layout: what lies where below the data directory. Raised when older programs would misread it. */
const LAYOUT_FORMAT = 1;

const REMEDIES: Readonly<Record<string, string>> = {
  EACCES: 'it is not writable for this user. Change its owner, or name another directory in dataDir',
  EPERM: 'it is not writable for this user. Change its owner, or name another directory in dataDir',
  EROFS: 'its file system is read-only. Name another directory in dataDir',
  ENOSPC: 'its disk is full. Free some space',
  EDQUOT: 'its quota is used up. Free some space',
  ENOTDIR: 'it is not a directory. Name another one in dataDir',
  EEXIST: 'it is not a directory. Name another one in dataDir',
};

/** A failed file operation on the data directory, as an error that says what to do. */
export function dataDirectoryError(dataDir: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const remedy = REMEDIES[code];
  if (!(error instanceof Error) || (remedy === undefined && !('syscall' in error))) return error;
  return new OperationalError(
    'directory_unusable',
    `The data directory ${dataDir} cannot be used: ${remedy ?? error.message}.`,
    {
      cause: error,
    },
  );
}

/**
 * Creates the directory where it does not exist.
 * @throws OperationalError `directory_unusable`, `directory_too_new` (written by a newer version of the program)
 */
export async function prepareDataDirectory(dataDir: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true });
    await checkFormat(dataDir);
  } catch (error) {
    throw dataDirectoryError(dataDir, error);
  }
}

/** Notes which layout this directory has. Only the holder of its lock may. */
export async function writeFormat(dataDir: string): Promise<void> {
  const path = join(dataDir, 'format.json');
  await writeFile(`${path}.new`, `${JSON.stringify({ format: LAYOUT_FORMAT })}\n`);
  await rename(`${path}.new`, path);
}

async function checkFormat(dataDir: string): Promise<void> {
  let text: string;
  try {
    text = await readFile(join(dataDir, 'format.json'), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return; // a new directory
    throw error;
  }
  const format = formatIn(text);
  if (format === null) {
    throw new OperationalError(
      'directory_unusable',
      `${join(dataDir, 'format.json')} is damaged: it should read {"format":${LAYOUT_FORMAT}}.`,
    );
  }
  if (format > LAYOUT_FORMAT) {
    throw new OperationalError(
      'directory_too_new',
      `The data directory ${dataDir} has format ${format}, written by a newer version of downhole; this one knows ${LAYOUT_FORMAT}. Update downhole, or name another directory in dataDir.`,
    );
  }
}

function formatIn(text: string): number | null {
  try {
    const content: unknown = JSON.parse(text);
    const format = typeof content === 'object' && content !== null && 'format' in content ? content.format : null;
    return typeof format === 'number' ? format : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null; // the caller names the file and what it should contain
    throw error;
  }
}
