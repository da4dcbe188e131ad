/**
 * The takeover of a table beside the shortest way that there is without writers: `INSERT … SELECT` of all of it in one go, into
 * the same kind of table. The takeover does more: it can be killed, it mirrors, and it compares every row before it swaps.
 */
import { migrateLegacy } from '../../src/legacy/legacy-migration.js';
import { migrate } from '../../src/storage/migrator.js';
import { openDatabase } from '../../src/storage/open-database.js';
import type { Database } from '../../src/storage/database.js';
import { silentEvents } from '../../tests/support/inspection.js';
import { measurement, type Measurement } from '../measurement.js';
import { perSecond } from './drain.js';
import { withServices } from './services.js';

const ROWS = 5_000_000;
const DEVICES = 500;

const FILL = `
  INSERT INTO telemetry SELECT '2026-10-01T00:00:00Z'::timestamptz + make_interval(secs => i / ${DEVICES} * 60), 'Well ' || i % ${DEVICES},
    60 + i % 40 / 2.0, i % 8 / 2.0, 100 + i % 500, nullif(i % 7, 0) * 100 FROM generate_series(0, ${ROWS - 1}) i`;
const OLD_TABLE = `
  CREATE TABLE telemetry ("timestamp" timestamptz NOT NULL, device_id text NOT NULL, temperature float8, vibration float8, pressure float8, flow_rate float8)`;
const IN_ONE_GO = `
  INSERT INTO telemetry ("timestamp", device_id, temperature, vibration, pressure, flow_rate, data_quality_score, is_anomaly, ingestion_timestamp)
  SELECT "timestamp", device_id, temperature, vibration, pressure, flow_rate, NULL, NULL, NULL FROM source.telemetry`;

export async function benchmarkLegacyMigration(): Promise<Measurement[]> {
  return withServices(async ({ database: peer, databaseUrl, dataDir, databaseName }) => {
    const subset = peer.capabilities.timescale === 'community' ? {} : { subset: 'plain' as const };
    const ours = await emptyDatabaseBeside(peer, databaseUrl, dataDir);
    try {
      await fill(peer, 'source');
      const peerRate = await perSecond(ROWS, () => unlimited(peer, IN_ONE_GO));
      await peer.script('DROP SCHEMA source CASCADE; TRUNCATE telemetry; CHECKPOINT');
      await fill(ours, 'public');
      const patience = { lockTimeoutMs: 1000, attempts: 10 };
      const rate = await perSecond(ROWS, async () => {
        await migrateLegacy(
          { database: ours, schema: subset, patience, directory: null },
          { mapping: {}, withoutSwap: false, onStage: () => undefined },
        );
        await migrate(ours, { events: silentEvents(), ...subset });
      });
      return [
        measurement('legacy-migration', rate, 'rows/s', 'INSERT … SELECT in one go, without writers', peerRate, {
          database: databaseName,
        }),
      ];
    } finally {
      await ours.close();
      await peer.execute('DROP DATABASE downhole_bench_legacy WITH (FORCE)');
    }
  });
}

async function emptyDatabaseBeside(peer: Database, databaseUrl: string, dataDir: string): Promise<Database> {
  await peer.execute('CREATE DATABASE downhole_bench_legacy');
  const url = new URL(databaseUrl);
  url.pathname = '/downhole_bench_legacy';
  return openDatabase(
    { dataDir, database: { url: url.href, poolSize: 4, statementTimeoutMs: 600_000 } },
    silentEvents(),
  );
}

async function fill(database: Database, schema: string): Promise<void> {
  await database.script(`
    SET statement_timeout = 0; CREATE SCHEMA IF NOT EXISTS ${schema}; SET search_path = ${schema}; ${OLD_TABLE}; ${FILL}; ANALYZE telemetry; CHECKPOINT`);
}

const unlimited = (database: Database, sql: string): Promise<number> =>
  database.transaction((session) => session.execute(sql), { statementTimeoutMs: 0 });
