/** `downhole up`, or single roles, as processes of their own, the way a user runs them. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Client } from './client.js';
import { freePort } from './free-port.js';
import { BRIEF } from './brief.js';
import { putNewDatabase } from './new-database.js';

const CLI = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url));
const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const READY_WITHIN_MS = 60_000;

export interface Service {
  readonly url: string;
  readonly process: ChildProcess;
  /** What it wrote to stderr so far. */
  readonly log: () => string;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL: nothing is finished. */
  kill(): Promise<void>;
}

/** The program with these arguments. */
export const downhole = (...args: string[]): [string, ...string[]] => [process.execPath, ...BRIEF, CLI, ...args];

/** Starts the service on a free port and waits until it is ready. A data directory without a database gets a new one. */
export async function startService(
  dataDir: string,
  environment: Record<string, string> = {},
  command: readonly [string, ...string[]] = downhole('up'),
): Promise<Service> {
  const [program] = command;
  const parameters = command.slice(command.indexOf(CLI) + 1);
  // `npm start` is the first start of a user, database and all; and the role ingest alone has none.
  const isEmbedded = program === process.execPath && environment['DOWNHOLE_DATABASE_URL'] === undefined;
  if (isEmbedded && parameters.join(' ') !== 'ingest') putNewDatabase(dataDir);
  const port = await freePort();
  const child = spawn(command[0], command.slice(1), {
    cwd: REPOSITORY,
    detached: true, // a process group of its own, as a terminal makes one
    env: {
      ...process.env,
      DOWNHOLE_DATA_DIR: dataDir,
      DOWNHOLE_HTTP_PORT: String(port),
      DOWNHOLE_SIMULATOR_WELLS: '0',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  child.stdout.resume();
  const exited = once(child, 'exit');
  const caFile = environment['DOWNHOLE_HTTP_TLS_CA_FILE'];
  const url = `${caFile === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  const client = new Client(url, caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') });
  const deadline = Date.now() + READY_WITHIN_MS;
  while (!(await isReady(client))) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`the service ended before it was ready:\n${log}`);
    if (Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`the service was not ready within ${READY_WITHIN_MS / 1000} s:\n${log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await exited;
    return child.exitCode;
  };
  return {
    url,
    process: child,
    log: () => log,
    stop: () => end('SIGTERM'),
    kill: async () => {
      await end('SIGKILL');
    },
  };
}

async function isReady(client: Client): Promise<boolean> {
  try {
    return (await client.get('/v1/health/ready')).status === 200;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false; // not listening yet
    throw error;
  }
}

/** Runs a command to its end. */
export async function runCommand(
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [...BRIEF, CLI, ...args], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  await once(child, 'close');
  return { code: child.exitCode, stdout, stderr };
}

/** One metric of a running service, summed over the series whose labels contain `labels`. */
async function readMetric(service: Pick<Service, 'url'>, name: string, labels = ''): Promise<number> {
  const text = await (await fetch(`${service.url}/metrics`)).text();
  return text
    .split('\n')
    .filter((line) => (line.startsWith(`${name} `) || line.startsWith(`${name}{`)) && line.includes(labels))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** Both sides of `received + recovered = stored + merged + duplicate + dead-lettered + rejected + handed over + in flight`. */
async function conservation(service: Pick<Service, 'url'>): Promise<{ came: number; went: number; inFlight: number }> {
  const came =
    (await readMetric(service, 'telemetry_records_received_total')) +
    (await readMetric(service, 'telemetry_records_recovered_total'));
  const inFlight = await readMetric(service, 'telemetry_records_in_flight');
  const handedOver = await readMetric(service, 'telemetry_records_handed_over_total');
  return { came, went: (await readMetric(service, 'telemetry_records_total')) + handedOver + inFlight, inFlight };
}

/** Waits until nothing is in flight and returns the balance. */
export async function settled(
  service: Pick<Service, 'url'>,
): Promise<{ came: number; went: number; inFlight: number }> {
  for (;;) {
    const balance = await conservation(service);
    if (balance.inFlight === 0 && balance.came === balance.went) return balance;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
