/**
 * An embedded database that is new, copied rather than made: creating one takes seconds, and hundreds of tests want one. It is as
 * the program leaves it before the first migration. Tests of the first start itself make their own.
 */
import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';

/** Where `global-setup.ts` has put the one to copy. */
export const NEW_DATABASE = 'DOWNHOLE_TEST_NEW_DATABASE';

/** Puts a new database into a data directory that has none. */
export function putNewDatabase(dataDir: string): void {
  const template = process.env[NEW_DATABASE];
  if (template === undefined) throw new Error(`${NEW_DATABASE} is not set: tests run through vitest.`);
  if (existsSync(join(dataDir, 'database'))) return;
  for (const name of ['database', 'format.json'])
    cpSync(join(template, name), join(dataDir, name), { recursive: true });
}
