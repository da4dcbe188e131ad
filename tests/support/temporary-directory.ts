import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A fresh directory, and how to remove it: for `beforeAll`/`afterAll` and programs that are not tests. */
export interface TemporaryDirectory {
  readonly path: string;
  remove(): Promise<void>;
}

export function createTemporaryDirectory(label = 'test'): TemporaryDirectory {
  const path = mkdtempSync(join(tmpdir(), `downhole-${label}-`));
  return {
    path,
    // Retries, because a process killed a moment ago may still be writing its last file.
    remove: () => rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }),
  };
}

/** The path of a fresh directory that is removed when the present test has finished. */
export function temporaryDirectory(label?: string): string {
  const directory = createTemporaryDirectory(label);
  onTestFinished(() => directory.remove());
  return directory.path;
}
