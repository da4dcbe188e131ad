/**
 * A chunk on its way into the archive: exported alone (rows out of the database, Parquet in memory, thrown away), and as it is
 * operated, with upload into a directory, read-back and comparison. The limit of both is PostgreSQL's own `COPY … TO` of the same
 * rows; the size is held against DuckDB, which writes the same rows with the same codec.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { Archiver } from '../../src/archive/archiver.js';
import { withChunkRows, type ChunkRange } from '../../src/archive/chunk-rows.js';
import { readColumns } from '../../src/archive/column-types.js';
import { DirectoryStore } from '../../src/archive/directory-store.js';
import { PartWriter } from '../../src/archive/write-part.js';
import type { Database } from '../../src/storage/database.js';
import { formatTimestamp, MICROS_PER_DAY } from '../../src/telemetry/timestamp.js';
import { silentEvents } from '../../tests/support/inspection.js';
import { writeFleetHistory } from '../fleet-history.js';
import { measurement, type Measurement } from '../measurement.js';
import { perSecond } from './drain.js';
import { withDatabase, type DatabaseService } from './services.js';

/** DOWNHOLE_BENCH_ROWS: how many, a million where nobody says so; of a day, every ten seconds. */
const ROWS = Number(process.env['DOWNHOLE_BENCH_ROWS'] ?? 1_000_000);
const INTERVAL_SECONDS = 10;
const WELLS = Math.round(ROWS / (86_400 / INTERVAL_SECONDS));

export async function benchmarkArchive(): Promise<Measurement[]> {
  return withDatabase(async (service) => {
    const { database, dataDir, databaseName } = service;
    const startUs = (Math.floor(Date.now() / 86_400_000) - 40) * MICROS_PER_DAY;
    const range = { startUs, endUs: startUs + MICROS_PER_DAY };
    const rows = await writeFleetHistory(database, {
      wells: WELLS,
      intervalSeconds: INTERVAL_SECONDS,
      fromUs: startUs,
      toUs: range.endUs,
    });
    await database.script('VACUUM ANALYZE telemetry; CHECKPOINT');
    const limit = await perSecond(rows, () => copyOut(service, range));
    const memory = watchMemory();
    const exported = await perSecond(rows, () => exportAlone(database, range));
    const archiver = new Archiver({
      database,
      store: new DirectoryStore(join(dataDir, 'archive')),
      events: silentEvents(),
      afterDays: 25,
    });
    const archived = await perSecond(rows, () => archiver.archiveChunk(range));
    const residentMib = memory();
    const [part] = await archiver.list();
    if (part?.figures?.tally.rows !== rows) throw new Error('The chunk was not archived as a whole.');
    const path = join(dataDir, 'archive', part.objectKey);
    const peerBytes = await writeWithDuckDb(path, join(dataDir, 'peer.parquet'));
    const details = { database: databaseName, rows, resident_mib: residentMib };
    return [
      measurement('archive-export', exported, 'rows/s', 'COPY … TO binary, thrown away', limit, details),
      measurement('archive', archived, 'rows/s', 'COPY … TO binary, thrown away', limit, details),
      measurement('archive-bytes', part.figures.bytes / rows, 'bytes/row', 'DuckDB, gzip', peerBytes / rows, {
        rows,
        lower_is_better: 1,
      }),
    ];
  });
}

async function exportAlone(database: Database, range: ChunkRange): Promise<void> {
  const columns = await readColumns(database);
  const writer = new PartWriter(columns, {});
  await withChunkRows(
    database,
    range,
    columns,
    (work) => work(),
    async (pages) => {
      let bytes = 0;
      for await (const piece of writer.bytes(pages)) bytes += piece.length;
      if (bytes !== writer.written.bytes) throw new Error('Not all bytes came out.');
    },
  );
}

async function copyOut({ databaseUrl }: DatabaseService, { startUs, endUs }: ChunkRange): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const stream = client.query(
    copyTo(
      `COPY (SELECT t.*, hash_record_extended(t, 0) FROM telemetry t
         WHERE "timestamp" >= '${formatTimestamp(startUs)}' AND "timestamp" < '${formatTimestamp(endUs)}'
         ORDER BY device_id, "timestamp") TO STDOUT (FORMAT binary)`,
    ),
  );
  for await (const piece of stream) void piece;
  await client.end();
}

/** @returns the largest resident size since, MiB */
function watchMemory(): () => number {
  let most = 0;
  const look = (): void => void (most = Math.max(most, process.memoryUsage.rss()));
  const timer = setInterval(look, 100);
  return () => {
    look();
    clearInterval(timer);
    return Math.round(most / 1_048_576);
  };
}

async function writeWithDuckDb(from: string, to: string): Promise<number> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  await connection.run(
    `COPY (SELECT * FROM read_parquet('${from}')) TO '${to}' (FORMAT parquet, COMPRESSION gzip, ROW_GROUP_SIZE 65536)`,
  );
  connection.closeSync();
  instance.closeSync();
  return (await stat(to)).size;
}
