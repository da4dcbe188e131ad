/** Size and compression of the hypertable as metrics, looked up once a minute: a scrape must not wait for a database. */
import type { Events } from '../monitoring/events.js';
import type { Metrics } from '../monitoring/metrics.js';
import type { Database } from '../storage/database.js';
import { storageStatistics } from '../storage/statistics.js';
import { readForecast, readLastSizes } from '../storage/storage-days.js';
import { OperationalError } from '../telemetry/operational-error.js';

const INTERVAL_MS = 60_000;

/** Begins to publish; returns how to end it. While the database is away the last figures stay. */
export function publishStorageGauges(database: Database, metrics: Metrics, events: Events): () => Promise<void> {
  const look = async (): Promise<void> => {
    try {
      const { telemetry, compressionRatio, aggregates } = await storageStatistics(database);
      metrics.set('timescaledb_size_bytes', telemetry.bytes);
      metrics.set('timescaledb_compression_ratio', compressionRatio);
      for (const { level, lagSeconds } of aggregates) metrics.set('aggregate_lag_seconds', lagSeconds, { level });
      await publishDisk(database, metrics);
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      events.emit('storage_gauges_stale', { error });
    }
  };
  let looking = look();
  const timer = setInterval(() => {
    looking = looking.then(look);
  }, INTERVAL_MS);
  return async () => {
    clearInterval(timer);
    await looking;
  };
}

/** As the job measure-storage found it last; nothing where the disk cannot be seen. */
async function publishDisk(database: Database, metrics: Metrics): Promise<void> {
  const freeBytes = (await readLastSizes(database))?.diskFreeBytes ?? null;
  if (freeBytes === null) return;
  metrics.set('storage_disk_free_bytes', freeBytes, { disk: 'database' });
  const { daysUntilFull, growthBytesPerDay } = await readForecast(database, freeBytes);
  if (growthBytesPerDay === null) return;
  const days = daysUntilFull ?? Number.POSITIVE_INFINITY;
  metrics.set('storage_days_until_disk_full', days, { disk: 'database' });
}
