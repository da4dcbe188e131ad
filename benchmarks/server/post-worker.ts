/** A thread that posts batches to the ingest API over several connections, at a given rate or as fast as they are answered. */
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { telemetryMessages } from '../workload.js';

export interface PostWork {
  readonly url: string;
  /** PEM of the authority that the server's certificate is from. */
  readonly ca?: string;
  readonly records: number;
  readonly devices: number;
  readonly connections: number;
  /** 0: as fast as they are answered. */
  readonly recordsPerSecond: number;
}

export interface PostResult {
  readonly accepted: number;
  readonly seconds: number;
}

const { url, ca, records, devices, connections, recordsPerSecond } = workerData as PostWork;
const bodies = telemetryMessages({ records, endUs: Date.now() * 1000, devices });
const secure = url.startsWith('https:');
const agent = secure
  ? new HttpsAgent({ keepAlive: true, maxSockets: connections, ...(ca === undefined ? {} : { ca }) })
  : new HttpAgent({ keepAlive: true, maxSockets: connections });
const target = new URL('/v1/telemetry', url);

function post(body: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': body.byteLength };
    const request = (secure ? httpsRequest : httpRequest)(target, { method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.on('end', () =>
        response.statusCode === 202 ? resolve() : reject(new Error(`answered ${response.statusCode}`)),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

parentPort?.once('message', () => {
  void run().then((result) => {
    parentPort?.postMessage(result);
    parentPort?.close();
    agent.destroy();
  });
});
parentPort?.postMessage('ready');

async function run(): Promise<PostResult> {
  const startedMs = performance.now();
  let next = 0;
  let accepted = 0;
  const connection = async (): Promise<void> => {
    for (let index = next++; index < bodies.length; index = next++) {
      const message = bodies[index] as (typeof bodies)[number];
      const count = message.headers.records ?? 1;
      if (recordsPerSecond > 0) {
        const dueMs = startedMs + ((index * count) / recordsPerSecond) * 1000;
        if (dueMs > performance.now()) await sleep(dueMs - performance.now());
      }
      await post(message.body);
      accepted += count;
    }
  };
  await Promise.all(Array.from({ length: connections }, connection));
  return { accepted, seconds: (performance.now() - startedMs) / 1000 };
}
