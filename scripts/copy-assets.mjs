// tsc copies only what it compiles: the migrations are read at run time, so they go along as they are.
import { cpSync } from 'node:fs';

cpSync('src/storage/migrations', 'dist/src/storage/migrations', { recursive: true });
