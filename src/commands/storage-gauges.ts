/** Size and compression of the hypertable as metrics, looked up once a minute: a scrape must not wait for a database. */
import type { Events } from '../monitoring/events.js';
import type { Metrics } from '../monitoring/metrics.js';
import type { Database } from '../storage/database.js';
import { storageStatistics } from '../storage/statistics.js';
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
