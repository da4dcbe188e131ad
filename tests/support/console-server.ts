/** The read API and the page on a free port, with an embedded database of its own and a small fleet in it. */
import type { AlertChannel } from '../../src/alerts/channel.js';
import { loadConfig } from '../../src/config/load-config.js';
import { consoleRoutes } from '../../src/console/console-routes.js';
import { buildHttpServer, listenHttp } from '../../src/ingest/http-server.js';
import { createEvents } from '../../src/monitoring/events.js';
import { createLogger } from '../../src/monitoring/logger.js';
import { Metrics } from '../../src/monitoring/metrics.js';
import { Readiness } from '../../src/monitoring/readiness.js';
import { openEmbeddedBroker } from '../../src/queue/embedded-broker.js';
import type { Database } from '../../src/storage/database.js';
import { DeviceDirectory } from '../../src/storage/device-directory.js';
import { EmbeddedDatabase } from '../../src/storage/embedded-database.js';
import { migrate } from '../../src/storage/migrator.js';
import { putNewDatabase } from './new-database.js';
import { createTemporaryDirectory } from './temporary-directory.js';

export interface ConsoleServer {
  readonly url: string;
  readonly database: Database;
  readonly metrics: Metrics;
  close(): Promise<void>;
}

/** Starts an empty platform: schema, no data. @param webRoot directory of a page that was built for the test */
export async function startConsoleServer({
  port = 0,
  webRoot,
  alertChannels = [],
}: { port?: number; webRoot?: string; alertChannels?: readonly AlertChannel[] } = {}): Promise<ConsoleServer> {
  const directory = createTemporaryDirectory('console');
  putNewDatabase(directory.path);
  const config = loadConfig({ environment: {}, overrides: { 'http.port': port, dataDir: directory.path } });
  const metrics = new Metrics();
  const events = createEvents(createLogger('error'), metrics);
  const database = await EmbeddedDatabase.open(directory.path, events);
  await migrate(database, { events });
  const broker = await openEmbeddedBroker({
    directory: `${directory.path}/queue`,
    maxBytes: 16_777_216,
    segmentBytes: 1_048_576,
    events,
  });
  const server = buildHttpServer({
    config,
    events,
    metrics,
    broker,
    version: '0.0.0-test',
    readiness: () => new Readiness([]).report(),
    routes: [consoleRoutes({ database, metrics, broker, hasPipeline: true, config, events, webRoot, alertChannels })],
  });
  const url = await listenHttp(server, config.http, events);
  return {
    url,
    database,
    metrics,
    close: async () => {
      await server.close();
      await broker.close();
      await database.close();
      await directory.remove();
    },
  };
}

export interface Readings {
  readonly deviceId: string;
  /** RFC 3339. */
  readonly from: string;
  readonly to: string;
  readonly everySeconds: number;
  /** 0 unknown, 1 off, 2 starting, 3 running, 4 transient. */
  readonly state?: number;
  /** Every so many readings one is anomalous; default never. */
  readonly anomalyEvery?: number;
  /** Whether the drive and the pump's pressures are reported; default true. */
  readonly drive?: boolean;
  readonly quality?: number;
}

/** Readings of a pump with smooth curves, written straight into the table, and what the registry would know of it. */
export async function insertReadings(database: Database, readings: Readings): Promise<void> {
  const { deviceId, from, to, everySeconds, state = 3, anomalyEvery = 0, drive = true, quality = 1 } = readings;
  await database.execute(
    `INSERT INTO telemetry ("timestamp", device_id, temperature, vibration, pressure, flow_rate, motor_current,
       intake_pressure, discharge_pressure, motor_temperature, drive_frequency, data_quality_score, is_anomaly,
       quality_flags, operating_state, ingestion_timestamp)
     SELECT t, $1, 62 + 3 * sin(s / 5400) + wobble, 0.21 + 0.04 * abs(sin(s / 40)), 240 + 6 * sin(s / 900),
       CASE WHEN $5 = 1 THEN 0 ELSE 1850 + 60 * cos(s / 4000) END,
       CASE WHEN $7 THEN CASE WHEN $5 = 1 THEN 0 ELSE 48 + 2 * sin(s / 1200) + wobble END END,
       CASE WHEN $7 THEN 480 + 25 * sin(s / 7200) END, CASE WHEN $7 THEN 2460 + 30 * sin(s / 7200) END,
       CASE WHEN $7 THEN 98 + 4 * sin(s / 5400) + wobble END, CASE WHEN $7 THEN CASE WHEN $5 = 1 THEN 0 ELSE 52 END END,
       $8::real, $6 > 0 AND n % greatest($6, 1) = 0, 0, $5::smallint, t + interval '2 seconds'
     FROM (
       SELECT t, extract(epoch FROM t)::float8 AS s, row_number() OVER () AS n, 0.4 * sin(extract(epoch FROM t)::float8 * 1.7) AS wobble
       FROM generate_series($2::timestamptz, $3::timestamptz, make_interval(secs => $4)) t
     ) times
     ON CONFLICT DO NOTHING`,
    [deviceId, from, to, everySeconds, state, anomalyEvery, drive, quality],
  );
  await register(database, deviceId, everySeconds);
}

async function register(database: Database, deviceId: string, everySeconds: number): Promise<void> {
  await database.execute(
    `INSERT INTO devices (device_id, expected_interval_seconds, first_seen)
     SELECT $1, $2::real, min("timestamp") FROM telemetry WHERE device_id = $1
     ON CONFLICT (device_id) DO UPDATE SET first_seen = excluded.first_seen`,
    [deviceId, everySeconds],
  );
  await new DeviceDirectory(database).catchUp(0);
}

/** Fills the aggregates over a range, finest first. */
export async function refreshAggregates(database: Database, from: string, to: string): Promise<void> {
  for (const view of ['agg_1min_v1', 'agg_1hour_v1', 'agg_1hour_p95_v1', 'agg_daily_v1'])
    await database.script(`CALL refresh_continuous_aggregate('${view}', '${from}', '${to}')`);
}

/** An instant so many seconds before now, RFC 3339. */
export function ago(seconds: number): string {
  return new Date(Date.now() - seconds * 1000).toISOString();
}
