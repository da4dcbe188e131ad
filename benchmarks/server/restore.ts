/**
 * A part of the archive back into `telemetry_archive`, beside a COPY of the same rows that are encoded already: what the
 * restore adds is to hash the part, to decode it, to count every value, to encode it, and to compare the table with it.
 */
import { Archiver } from '../../src/archive/archiver.js';
import { RowCopyEncoder } from '../../src/archive/copy-rows.js';
import { DirectoryStore } from '../../src/archive/directory-store.js';
import { listParts } from '../../src/archive/part-table.js';
import { readRowGroups } from '../../src/archive/read-part.js';
import { copyRows, targetColumns } from '../../src/archive/restore-table.js';
import { Restorer } from '../../src/archive/restorer.js';
import { silentEvents } from '../../tests/support/inspection.js';
import { measurement, type Measurement } from '../measurement.js';
import { perSecond } from './drain.js';
import { withServices } from './services.js';

const ROWS = 1_000_000;
const DEVICES = 100;
const DAY_US = 86_400_000_000;

const FILL = `
  INSERT INTO telemetry ("timestamp", device_id, temperature, vibration, pressure, flow_rate, motor_current, rpm, intake_pressure,
    discharge_pressure, data_quality_score, quality_flags, operating_state)
  SELECT $1::timestamptz + make_interval(secs => i / ${DEVICES} * 8), 'Well ' || i % ${DEVICES}, 60 + random() * 20, random() * 4,
    100 + random() * 500, random() * 900, 40 + random() * 10, 3000 + i % 500, 900 + random() * 10, 2000 + random() * 10, 0.9, 0, 3
  FROM generate_series(0, ${ROWS - 1}) i`;

export async function benchmarkRestore(): Promise<Measurement[]> {
  return withServices(async ({ database, dataDir, databaseName }) => {
    const events = silentEvents();
    const startUs = (Math.floor((Date.now() * 1000) / DAY_US) - 60) * DAY_US;
    const range = { startUs, endUs: startUs + DAY_US };
    await database.transaction((session) => session.execute(FILL, [new Date(startUs / 1000).toISOString()]), {
      statementTimeoutMs: 0,
    });
    const store = new DirectoryStore(dataDir);
    await new Archiver({ database, store, events, afterDays: 25 }).archiveChunk(range);
    const [part] = await listParts(database);
    if (part?.figures === undefined) throw new Error('Nothing was archived.');

    const { figures, objectKey } = part;
    const columns = await targetColumns(database, 'telemetry_archive', figures.tally.columns, objectKey);
    const archived = figures.tally.columns.map(({ name, type }) => ({ name, type, nullable: true }));
    const encoder = new RowCopyEncoder(columns);
    const streams: Uint8Array[] = [];
    for await (const { rows, values } of readRowGroups(store, objectKey, figures.bytes, archived))
      streams.push(
        Uint8Array.from(
          encoder.encode(
            values,
            Int32Array.from({ length: rows }, (_, row) => row),
          ),
        ),
      );
    const peerRate = await perSecond(ROWS, () =>
      database.transaction(
        async (session) => {
          for (const stream of streams) await copyRows(session, 'telemetry_archive', columns, stream);
        },
        { statementTimeoutMs: 0 },
      ),
    );
    await database.script('TRUNCATE telemetry_archive; CHECKPOINT');

    const restorer = new Restorer({ database, store, events });
    let proof = '';
    const rate = await perSecond(ROWS, async () => {
      for await (const restored of restorer.restore({ range, devices: undefined, into: 'telemetry_archive' }))
        proof = restored.proof;
    });
    return [
      measurement('restore', rate, 'rows/s', 'COPY of the same rows, encoded beforehand', peerRate, {
        database: databaseName,
        proof,
        megabytesResident: Math.round(process.memoryUsage().rss / 1e6),
      }),
    ];
  });
}
