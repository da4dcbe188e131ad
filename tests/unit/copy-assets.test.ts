/** What the build adds to what the compiler writes. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { temporaryDirectory } from '../support/temporary-directory.js';

const SCRIPT = fileURLToPath(new URL('../../scripts/copy-assets.mjs', import.meta.url));

it('leaves the migrations in dist as they are in src, whatever an earlier build has left there', () => {
  const root = temporaryDirectory('assets');
  const write = (path: string, text: string): void => {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  write('dist/src/cli.js', '');
  write('src/storage/migrations/0001_first.sql', 'first');
  write('src/storage/migrations/0002_renamed.sql', 'second');
  const build = (): string[] => {
    execFileSync(process.execPath, [SCRIPT], { cwd: root });
    return readdirSync(join(root, 'dist/src/storage/migrations')).sort();
  };
  expect(build()).toEqual(['0001_first.sql', '0002_renamed.sql']);

  write('dist/src/storage/migrations/0002_before.sql', 'second');
  write('dist/src/storage/migrations/0001_first.sql', 'edited');
  expect(build()).toEqual(['0001_first.sql', '0002_renamed.sql']);
  expect(readFileSync(join(root, 'dist/src/storage/migrations/0001_first.sql'), 'utf8')).toBe('first');
});
