/**
 * Compiles src once before the tests: worker threads and child processes are loaded from dist, since Node 20 cannot run
 * TypeScript. Types are not checked here (`npm run check` does that), which keeps it at about two seconds. And creates the
 * database that tests copy.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NEW_DATABASE } from './new-database.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

const run = (script: string, ...args: string[]): void => {
  try {
    execFileSync(process.execPath, [script, ...args], { cwd: root, stdio: 'pipe', encoding: 'utf8' });
  } catch (error) {
    const output = error instanceof Error && 'stdout' in error ? String(error.stdout) : '';
    throw new Error(`The program does not compile or has no database, so nothing can be tested.\n${output}`, {
      cause: error,
    });
  }
};

/** @returns what to do when all tests have run */
export function setup(): () => void {
  run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--noCheck');
  run('scripts/copy-assets.mjs');
  const directory = mkdtempSync(join(tmpdir(), 'downhole-new-database-'));
  run(fileURLToPath(new URL('./create-database.mjs', import.meta.url)), directory);
  process.env[NEW_DATABASE] = directory;
  return () => rmSync(directory, { recursive: true });
}
