import type pg from 'pg';
import type { DatabaseCapabilities, TimescaleEdition } from './database.js';
import { sqlStateOf } from './sql-state.js';

interface Facts {
  postgres: string;
  installed: string | null;
  /** The library is loaded and the files of the extension are there, so that it can be created. */
  creatable: boolean;
  durable: boolean;
}

/** That the library is loaded shows in a setting of its own: which ones are loaded, an ordinary role may not see. */
const FACTS = `
  SELECT current_setting('server_version') AS postgres,
         (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS installed,
         EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
           AND current_setting('timescaledb.disable_load', true) IS NOT NULL AS creatable,
         current_setting('fsync')::boolean AND current_setting('full_page_writes')::boolean
           AND current_setting('synchronous_commit') <> 'off' AS durable`;

/** insufficient_privilege and read_only_sql_transaction: a role or a replica that may look only. */
const LOOK_ONLY = new Set(['42501', '25006']);

/** What a server has. TimescaleDB is created in the database where that is wanted, the server offers it and the role may. */
export async function readServerCapabilities(
  pool: pg.Pool,
  poolSize: number,
  mayCreateExtension: boolean,
): Promise<DatabaseCapabilities> {
  let facts = await readFacts(pool);
  const isMissing = facts.installed === null && facts.creatable;
  if (isMissing && mayCreateExtension && (await createExtension(pool))) facts = await readFacts(pool);
  return {
    postgresVersion: facts.postgres,
    timescale: facts.installed === null ? 'none' : await readEdition(pool),
    timescaleVersion: facts.installed,
    concurrency: poolSize,
    survivesPowerLoss: facts.durable,
  };
}

async function readFacts(pool: pg.Pool): Promise<Facts> {
  const { rows } = await pool.query<Facts>(FACTS);
  return rows[0] as Facts;
}

/** The Apache edition reports its licence as such, whether it was built that way or configured. */
async function readEdition(pool: pg.Pool): Promise<TimescaleEdition> {
  const { rows } = await pool.query<{ license: string | null }>(
    `SELECT current_setting('timescaledb.license', true) AS license`,
  );
  return rows[0]?.license === 'timescale' ? 'community' : 'apache';
}

async function createExtension(pool: pg.Pool): Promise<boolean> {
  try {
    await pool.query('CREATE EXTENSION IF NOT EXISTS timescaledb');
    return true;
  } catch (error) {
    // Not ours to create; the migrations say what they miss and how to get it.
    if (LOOK_ONLY.has(sqlStateOf(error) ?? '')) return false;
    throw error;
  }
}
