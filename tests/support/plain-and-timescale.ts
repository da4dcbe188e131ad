/** Where tests run of what is the same with chunks and without: PostgreSQL, and every database with TimescaleDB that there is. */
import { afterAll } from 'vitest';
import type { Database } from '../../src/storage/database.js';
import { startPostgres, type PostgresServer } from './postgres.js';
import { openMigratedTarget, openPlainTarget, type PlainTarget } from './storage-targets.js';
import { timescaleTargets } from './timescale-targets.js';

export interface OpenedStorage {
  /** With every migration. */
  readonly database: Database;
  /** The same database as another program has it, closed by `remove`. */
  connect(): Promise<Database>;
  remove(): Promise<void>;
}

/** One server for the tests of a file, started when the first of them wants it. */
let server: PostgresServer | undefined;
afterAll(() => server?.remove());

/** A migrated database of its own on a PostgreSQL server without TimescaleDB. */
export const openPlain = async (): Promise<PlainTarget> => openPlainTarget((server ??= await startPostgres()));

export const plainAndTimescale: readonly { name: string; open: () => Promise<OpenedStorage> }[] = [
  { name: 'PostgreSQL', open: openPlain },
  ...timescaleTargets().map((target) => ({ name: target.name, open: () => openMigratedTarget(target) })),
];
