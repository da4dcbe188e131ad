import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { temporaryDirectory } from './temporary-directory.js';

/**
 * A file system of so many megabytes of its own until the present test has finished; undefined where mounting is not
 * permitted.
 * @param path where it is mounted: an empty directory, or one to be created
 */
export function smallDisk(megabytes: number, path = join(temporaryDirectory('disk'), 'mounted')): string | undefined {
  mkdirSync(path, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'downhole-test', path], { stdio: 'pipe' });
  } catch (error) {
    // Only a right that is missing excuses; every test of a full disk has a sibling that needs none.
    if (process.getuid?.() !== 0 || String(error).includes('permission denied')) return undefined;
    throw error;
  }
  onTestFinished(() => void execFileSync('umount', [path]));
  return path;
}
