/**
 * Compiles src once before the tests: worker threads and child processes are loaded from dist, since Node 20 cannot run
 * TypeScript. Types are not checked here (`npm run check` does that), which keeps it at about two seconds.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

const run = (script: string, ...args: string[]): void => {
  try {
    execFileSync(process.execPath, [script, ...args], { cwd: root, stdio: 'pipe', encoding: 'utf8' });
  } catch (error) {
    const output = error instanceof Error && 'stdout' in error ? String(error.stdout) : '';
    throw new Error(`The program does not compile, so nothing can be tested.\n${output}`, { cause: error });
  }
};

export function setup(): void {
  run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--noCheck');
  run('scripts/copy-assets.mjs');
}
