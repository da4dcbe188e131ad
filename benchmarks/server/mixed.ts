/**
 * Everything at once on one machine: a producer publishes with confirms while the pipeline stores, for as long as the records
 * last. Beside it, how long a record takes from its post to being found by a query, at half of that load.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { startPipeline } from '../../tests/support/pipeline.js';
import { measurement, median, type Measurement } from '../measurement.js';
import { telemetryMessages } from '../workload.js';
import { perSecond } from './drain.js';
import { postAll } from './ingest.js';
import type { PublishWork } from './publish-worker.js';
import { copyFiles, writeCopyFiles } from './raw-copy.js';
import { startRoles } from './role-process.js';
import { withServices, type Services } from './services.js';

const RECORDS = 2_000_000;
const LIMIT_RECORDS = 1_000_000;
const DEVICES = 5000;
/** Bounds what waits in the queue: the load is sustained, not a backlog being worked off. */
const MOST_AHEAD = 100_000;
const SAMPLE_MS = 250;
const PROBES = 300;
const PROBE_INTERVAL_MS = 50;
const POLL_MS = 5;
const LATENCY_LIMIT_SECONDS = 2;

export async function benchmarkMixedLoad(): Promise<Measurement[]> {
  return withServices(async (services) => {
    const messages = telemetryMessages({ records: LIMIT_RECORDS, endUs: Date.now() * 1000, devices: DEVICES });
    const files = await writeCopyFiles(messages, services.dataDir, 2);
    const limit = await perSecond(LIMIT_RECORDS, () => copyFiles(services.databaseUrl, files));
    await services.clear();
    const { recordsPerSecond, residentMib } = await sustain(services);
    const third = Math.floor(residentMib.length / 3);
    const first = median(residentMib.slice(0, third));
    const last = median(residentMib.slice(-third));
    await services.clear();
    const half = Math.round(recordsPerSecond / 2);
    const latencies = await latenciesAt(services, half);
    const database = services.databaseName;
    return [
      measurement('mixed-load', recordsPerSecond, 'records/s', 'raw binary copy, two clients', limit, { database }),
      measurement('mixed-load-memory', last, 'MiB resident in the last third', 'in the first third', first, {
        database,
      }),
      measurement(
        'latency-p99',
        percentile(latencies, 0.99),
        's from post to query',
        'the limit',
        LATENCY_LIMIT_SECONDS,
        {
          database,
          records_per_second: half,
          median_seconds: Number(percentile(latencies, 0.5).toFixed(3)),
          probes: latencies.length,
        },
      ),
    ];
  });
}

async function sustain(services: Services): Promise<{ recordsPerSecond: number; residentMib: number[] }> {
  const { queueUrl, dataDir } = services;
  const workerData: PublishWork = { queueUrl, dataDir, records: RECORDS, devices: DEVICES, mostAhead: MOST_AHEAD };
  const producer = new Worker(new URL('./publish-worker.js', import.meta.url), { workerData });
  await once(producer, 'message');
  const running = await startPipeline(services.database, dataDir, {
    'queue.url': queueUrl,
    'state.url': services.redis.url,
    'pipeline.batchIntervalMs': 1000,
  });
  const residentMib: number[] = [];
  const startedMs = performance.now();
  let stored = 0;
  for (let sampledMs = startedMs; stored < RECORDS;) {
    await sleep(10);
    stored = await running.metrics.value('telemetry_records_total', { outcome: 'stored' });
    producer.postMessage(stored);
    if (performance.now() - sampledMs < SAMPLE_MS) continue;
    sampledMs = performance.now();
    residentMib.push(Math.round(process.memoryUsage.rss() / 1048576));
  }
  const recordsPerSecond = (RECORDS / (performance.now() - startedMs)) * 1000;
  await running.stop();
  await producer.terminate();
  return { recordsPerSecond, residentMib };
}

/** Seconds until each of some records, posted one by one among the others, is found by a query. */
async function latenciesAt(services: Services, recordsPerSecond: number): Promise<number[]> {
  const roles = await startRoles(services, ['ingest', 'pipeline']);
  const seconds = (PROBES * PROBE_INTERVAL_MS) / 1000 + 2;
  const records = Math.ceil((recordsPerSecond * seconds) / 100) * 100;
  const load = postAll({ url: roles.url, records, devices: DEVICES, connections: 16, recordsPerSecond });
  try {
    const probes: Promise<number>[] = [];
    await sleep(1000);
    for (let index = 0; index < PROBES; index++) {
      probes.push(probe(services, roles.url, `probe-${index}`));
      await sleep(PROBE_INTERVAL_MS);
    }
    const latencies = await Promise.all(probes);
    await load;
    return latencies;
  } finally {
    await roles.stop();
  }
}

async function probe({ database }: Services, url: string, deviceId: string): Promise<number> {
  const startedMs = performance.now();
  const timestamp = new Date().toISOString();
  const response = await fetch(`${url}/v1/telemetry`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ device_id: deviceId, timestamp, temperature: 80 }),
  });
  if (response.status !== 202) throw new Error(`the probe was answered with ${response.status}`);
  for (;;) {
    const rows = await database.query('SELECT 1 FROM telemetry WHERE device_id = $1', [deviceId]);
    if (rows.length > 0) return (performance.now() - startedMs) / 1000;
    await sleep(POLL_MS);
  }
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] as number;
}
