/**
 * `node dist/benchmarks/soak.js [MINUTES]`: the whole program as a user runs it, 5 000 simulated wells at 1 Hz, with
 * all its jobs. Prints a sample every half minute and, at the end, resident memory of the last third beside that of
 * the first third after warm-up: flat means a ratio of about 1.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { measurement, median } from './measurement.js';

const WELLS = 5000;
const PORT = 18_765;
const SAMPLE_MS = 30_000;
const WARM_UP_SAMPLES = 10;
const CLI = fileURLToPath(new URL('../src/cli.js', import.meta.url));

async function soak(minutes: number): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'downhole-soak-'));
  const child = spawn(process.execPath, [CLI, 'up'], {
    env: {
      ...process.env,
      DOWNHOLE_DATA_DIR: dataDir,
      DOWNHOLE_HTTP_PORT: String(PORT),
      DOWNHOLE_LOG_LEVEL: 'warn',
      DOWNHOLE_SIMULATOR_WELLS: String(WELLS),
      DOWNHOLE_SIMULATOR_BACKFILL_DAYS: '0',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = once(child, 'exit');
  const rss: number[] = [];
  process.stdout.write('seconds,resident_mib,received,accounted,in_flight,records_per_second\n');
  const endMs = Date.now() + minutes * 60_000;
  for (const startedMs = Date.now(); Date.now() < endMs && child.exitCode === null;) {
    await sleep(SAMPLE_MS);
    const mebibytes = await residentMebibytes(child.pid as number);
    rss.push(mebibytes);
    const seconds = Math.round((Date.now() - startedMs) / 1000);
    process.stdout.write(`${[seconds, mebibytes, ...(await figures())].join(',')}\n`);
  }
  child.kill('SIGTERM');
  await exited;
  await rm(dataDir, { recursive: true, force: true });
  const warm = rss.slice(WARM_UP_SAMPLES);
  const third = Math.floor(warm.length / 3);
  if (third === 0) return;
  const result = measurement(
    'soak',
    median(warm.slice(-third)),
    'MiB resident',
    'the first third after warm-up',
    median(warm.slice(0, third)),
  );
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

async function residentMebibytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024);
}

/** Received, accounted for, in flight, records a second. */
async function figures(): Promise<number[]> {
  const text = await (await fetch(`http://127.0.0.1:${PORT}/metrics`)).text();
  const sum = (name: string): number =>
    text
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  const names = [
    'telemetry_records_received_total',
    'telemetry_records_total',
    'telemetry_records_in_flight',
    'telemetry_ingestion_rate',
  ];
  return names.map((name) => Math.round(sum(name)));
}

await soak(Number(process.argv[2] ?? 60));
