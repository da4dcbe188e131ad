/** A private PostgreSQL 15 cluster for tests: its own directory, its own port on 127.0.0.1, gone afterwards. */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from './free-port.js';

const BIN = '/usr/lib/postgresql/15/bin';
const START_TIMEOUT_MS = 20_000;

export interface PostgresServer {
  /** The database `postgres` of the cluster. */
  readonly url: string;
  readonly port: number;
  /** Stops it as an operator would (fast shutdown). */
  readonly stop: () => Promise<void>;
  /** Begins to stop it as a patient operator would: it lets nobody in, and ends when the last session does. */
  beginStop(): void;
  /** Stops it as a power cut would, without its knowledge. */
  readonly kill: () => Promise<void>;
  /** Starts it again on the same port. */
  restart(): Promise<void>;
  /** Halts all of its processes where they are: connections stay open, and nobody answers. */
  freeze(): void;
  /** Lets a frozen server go on. */
  thaw(): void;
  /** A fresh, empty database; its URL. */
  createDatabase(): Promise<string>;
  /** Stops it and removes its directory. */
  remove(): Promise<void>;
}

/** PostgreSQL refuses to run as root, so that root becomes `postgres` for it. */
const asPostgres = (command: string, args: readonly string[]): [string, string[]] =>
  process.getuid?.() === 0 ? ['runuser', ['-u', 'postgres', '--', command, ...args]] : [command, [...args]];

const run = (command: string, args: readonly string[]): string => {
  const [program, programArgs] = asPostgres(command, args);
  return execFileSync(program, programArgs, { cwd: '/', encoding: 'utf8', stdio: 'pipe' });
};

/** Makes a directory that of `postgres`, whom the server runs as. */
export function giveToPostgres(directory: string): void {
  if (process.getuid?.() !== 0) return;
  const idOf = (kind: '-u' | '-g'): number => Number(execFileSync('id', [kind, 'postgres']));
  chownSync(directory, idOf('-u'), idOf('-g'));
}

/** A directory for the server; short, since the path of a Unix socket may have 107 characters only. */
function createOwnedDirectory(): string {
  const directory = mkdtempSync('/tmp/downhole-pg-');
  giveToPostgres(directory);
  return directory;
}

async function waitUntilReady(url: string, server: ChildProcess, log: readonly string[]): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const client = new pg.Client({ connectionString: url });
    // A server that is going down again may cut even a connection that has failed already.
    client.on('error', () => {});
    try {
      await client.connect();
      return await client.end();
    } catch (error) {
      if (Date.now() > deadline || server.exitCode !== null) {
        throw new Error(`PostgreSQL does not start:\n${log.join('')}`, { cause: error });
      }
      await sleep(25);
    }
  }
}

/**
 * Starts a cluster. Without `durable`, fsync is off: a killed server comes back all the same, a machine would not.
 * @param settings `name=value`, as in postgresql.conf
 */
export async function startPostgres({
  durable = false,
  settings = [],
}: { durable?: boolean; settings?: readonly string[] } = {}): Promise<PostgresServer> {
  const directory = createOwnedDirectory();
  const data = join(directory, 'data');
  run(`${BIN}/initdb`, [
    '-D',
    data,
    '-A',
    'trust',
    '-U',
    'postgres',
    '-E',
    'UTF8',
    '--locale=C',
    '--no-sync',
    '--no-instructions',
  ]);
  const port = await freePort();
  const urlOf = (database: string): string => `postgres://postgres@127.0.0.1:${port}/${database}`;
  const url = urlOf('postgres');
  let server: ChildProcess;
  let databases = 0;

  const start = async (): Promise<void> => {
    const options = [`port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${directory}`, ...settings];
    if (!durable) options.push('fsync=off', 'full_page_writes=off', 'synchronous_commit=off');
    const [program, args] = asPostgres(`${BIN}/postgres`, ['-D', data, ...options.flatMap((option) => ['-c', option])]);
    const log: string[] = [];
    server = spawn(program, args, { cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });
    server.stderr?.on('data', (chunk: Buffer) => {
      log.push(chunk.toString());
      if (log.length > 200) log.shift();
    });
    await waitUntilReady(url, server, log);
  };

  const end = async (signal: 'INT' | 'QUIT' | 'KILL'): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, 'exit');
    // Through pg_ctl, since runuser stands in between and does not pass on every signal.
    run(`${BIN}/pg_ctl`, ['-D', data, 'kill', signal, postmasterPid(data)]);
    await exited;
  };

  const signalAll = (signal: 'SIGSTOP' | 'SIGCONT'): void => {
    const postmaster = postmasterPid(data);
    // The postmaster first, so that it has no further children while they are looked up.
    signalProcess(Number(postmaster), signal);
    for (const pid of childrenOf(postmaster)) signalProcess(pid, signal);
    // runuser halts when its child does, and has to be woken too.
    if (signal === 'SIGCONT') signalProcess(server.pid as number, signal);
  };

  await start();
  return {
    url,
    port,
    freeze: () => signalAll('SIGSTOP'),
    thaw: () => signalAll('SIGCONT'),
    stop: () => end('INT'),
    beginStop: () => void run(`${BIN}/pg_ctl`, ['-D', data, 'kill', 'TERM', postmasterPid(data)]),
    kill: () => end('QUIT'),
    restart: start,
    async createDatabase() {
      const name = `test_${++databases}`;
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query(`CREATE DATABASE ${name}`);
      await client.end();
      return urlOf(name);
    },
    async remove() {
      await end('INT');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function childrenOf(pid: string): number[] {
  const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', pid], { encoding: 'utf8' });
  return stdout.trim().split(/\s+/).filter(Boolean).map(Number);
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // A backend may end at any moment.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

const postmasterPid = (data: string): string => {
  const [pid] = run('cat', [join(data, 'postmaster.pid')]).split('\n');
  if (pid === undefined) throw new Error('postmaster.pid is empty');
  return pid;
};
