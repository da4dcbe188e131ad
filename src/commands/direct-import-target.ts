/** An import into the database of this process. */
import type { HoldRange, ImportTarget } from '../gateway/import/import-target.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { OutcomeCounts } from '../telemetry/outcome.js';
import { formatTimestamp } from '../telemetry/timestamp.js';
import type { Platform } from './open-platform.js';

/** The same hold twice would be one too many to release. */
const HOLD_SQL = `
  INSERT INTO holds (device_id, range_from, range_to, reason, created_by)
  SELECT $1, $2::timestamptz, $3::timestamptz, $4, 'import'
  WHERE NOT EXISTS (
    SELECT FROM holds WHERE device_id = $1 AND range_from = $2::timestamptz AND range_to = $3::timestamptz
      AND reason = $4 AND released_at IS NULL)`;

type ImportPlatform = Pick<Platform, 'pipeline' | 'database' | 'jobs'>;

export class DirectImportTarget implements ImportTarget {
  readonly #platform: ImportPlatform;

  constructor(platform: ImportPlatform) {
    this.#platform = platform;
  }

  async ingest(body: Uint8Array, records: number): Promise<OutcomeCounts> {
    const { outcomes } = await this.#platform.pipeline.ingestNow(body, {
      schemaVersion: 1,
      contentType: 'application/json',
      records,
      receivedUs: Date.now() * 1000,
      source: 'import',
    });
    return outcomes;
  }

  async hold({ deviceId, fromUs, toUs, reason }: HoldRange): Promise<void> {
    await this.#platform.database.query(HOLD_SQL, [deviceId, formatTimestamp(fromUs), formatTimestamp(toUs), reason]);
  }

  /** Refreshes the aggregates of all days that got rows late; newer days are the business of the regular refresh. */
  async finish(): Promise<void> {
    for (;;) {
      const { result, detail, error } = await this.#platform.jobs.runNow('refresh-late');
      if (result === 'failed') {
        throw new OperationalError(
          'refresh_failed',
          `All rows are stored, but the aggregates could not be refreshed (${error ?? 'no reason'}). Run the import again, or leave it to the service.`,
          { retryable: true },
        );
      }
      // A run is bounded, in time and in days, and says whether it has left any.
      if (detail?.['more'] !== true) return;
    }
  }
}
