// npm runs this after `npm ci`, and once more when `npx downhole` is first called in a clone: then it is built already,
// and whoever wants to run it should not wait for a second build.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

if (process.env.npm_command === 'exec' && existsSync('dist/src/cli.js')) process.exit(0);

const { status } = spawnSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
process.exit(status ?? 1);
