// What is left to do after tsc, which copies only what it compiles.
import { chmodSync, cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';

// Migrations are read at run time, all that are there: one that was renamed or taken back since the last build must go.
const [from, to] = ['src/storage/migrations', 'dist/src/storage/migrations'];
mkdirSync(to, { recursive: true });
const wanted = new Set(readdirSync(from));
for (const name of readdirSync(to)) if (!wanted.has(name)) rmSync(`${to}/${name}`);
cpSync(from, to, { recursive: true });
chmodSync('dist/src/cli.js', 0o755);
