// What is left to do after tsc, which copies only what it compiles.
import { chmodSync, cpSync } from 'node:fs';

// Migrations are read at run time.
cpSync('src/storage/migrations', 'dist/src/storage/migrations', { recursive: true });
chmodSync('dist/src/cli.js', 0o755);
