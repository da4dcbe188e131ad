/** The ingest API in front of RabbitMQ: posted over TLS 1.3 in batches of 100, answered once the broker has confirmed. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { Worker } from 'node:worker_threads';
import { measurement, median, type Measurement } from '../measurement.js';
import { telemetryMessages } from '../workload.js';
import { fill } from './drain.js';
import type { PostResult, PostWork } from './post-worker.js';
import { startRoles } from './role-process.js';
import { withServices } from './services.js';

const RECORDS = 500_000;
const DEVICES = 5000;
const CONNECTIONS = 16;
const ROUNDS = 3;

export async function benchmarkHttpsIngest(): Promise<Measurement[]> {
  const messages = telemetryMessages({ records: RECORDS, endUs: Date.now() * 1000, devices: DEVICES });
  return withServices(async (services) => {
    const certificate = selfSigned(services.dataDir);
    const ca = await readFile(certificate.certificateFile, 'utf8');
    const limits: number[] = [];
    const rates: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      limits.push(await fill(services, messages));
      await services.emptyQueue();
      const ingest = await startRoles(services, ['ingest'], {
        DOWNHOLE_HTTP_TLS_CERTIFICATE_FILE: certificate.certificateFile,
        DOWNHOLE_HTTP_TLS_KEY_FILE: certificate.keyFile,
      });
      try {
        const { accepted, seconds } = await postAll({
          url: ingest.url.replace('127.0.0.1', 'localhost'),
          ca,
          records: RECORDS,
          devices: DEVICES,
          connections: CONNECTIONS,
          recordsPerSecond: 0,
        });
        if (accepted !== RECORDS) throw new Error(`${accepted} of ${RECORDS} records were accepted`);
        rates.push(accepted / seconds);
      } finally {
        await ingest.stop();
        await services.emptyQueue();
      }
      process.stderr.write(
        `  ${Math.round(limits.at(-1) as number)} published, ${Math.round(rates.at(-1) as number)} posted\n`,
      );
    }
    return [
      measurement(
        'https-ingest',
        median(rates),
        'records/s',
        'publishing the same messages with confirms',
        median(limits),
      ),
    ];
  });
}

/** Posts everything from a thread of its own. */
export async function postAll(work: PostWork): Promise<PostResult> {
  const worker = new Worker(new URL('./post-worker.js', import.meta.url), { workerData: work });
  await once(worker, 'message');
  worker.postMessage('go');
  const [result] = (await once(worker, 'message')) as [PostResult];
  return result;
}

/** A certificate for this run. */
function selfSigned(directory: string): { certificateFile: string; keyFile: string } {
  const certificateFile = join(directory, 'certificate.pem');
  const keyFile = join(directory, 'key.pem');
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const kind = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30'];
  execFileSync('openssl', [...kind, ...names, '-keyout', keyFile, '-out', certificateFile], { stdio: 'ignore' });
  return { certificateFile, keyFile };
}
