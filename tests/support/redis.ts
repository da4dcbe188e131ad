/** A private Redis for tests: its own directory, its own port on 127.0.0.1, gone afterwards. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort } from './free-port.js';
import { createTemporaryDirectory } from './temporary-directory.js';

const START_TIMEOUT_MS = 10_000;

export interface RedisServer {
  /** With user and password, where it asks for one. */
  readonly url: string;
  readonly port: number;
  /** Stops it as an operator would. */
  stop(): Promise<void>;
  /** Stops it as a power cut would, without its knowledge. */
  kill(): Promise<void>;
  /** Starts it again on the same port, with what it had written down. */
  restart(): Promise<void>;
  /** Forgets everything. */
  flush(): Promise<void>;
  /** Runs one command, as an operator or another program would. */
  command(name: string, ...parameters: (string | number)[]): Promise<unknown>;
  /** Stops it and removes its directory. */
  remove(): Promise<void>;
}

/** @param settings as on the command line of redis-server */
export async function startRedis({
  password = '',
  settings = [],
}: { password?: string; settings?: readonly string[] } = {}): Promise<RedisServer> {
  const directory = createTemporaryDirectory('redis');
  const port = await freePort();
  const url = `redis://${password === '' ? '' : `:${encodeURIComponent(password)}@`}127.0.0.1:${port}`;
  let server: ChildProcess;

  const command = async (name: string, ...parameters: (string | number)[]): Promise<unknown> => {
    const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
    // Whoever waits for the answer is told.
    client.on('error', () => {});
    try {
      await client.connect();
      return await client.call(name, ...parameters);
    } finally {
      client.disconnect();
    }
  };

  const start = async (): Promise<void> => {
    const options = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory.path];
    options.push('--save', '', '--appendonly', 'yes', '--logfile', '', ...settings);
    if (password !== '') options.push('--requirepass', password);
    const log: string[] = [];
    server = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'inherit'] });
    server.stdout?.on('data', (chunk: Buffer) => {
      log.push(chunk.toString());
      if (log.length > 200) log.shift();
    });
    await once(server, 'spawn');
    const deadline = Date.now() + START_TIMEOUT_MS;
    for (;;) {
      try {
        return void (await command('ping'));
      } catch (error) {
        if (Date.now() > deadline || server.exitCode !== null) {
          throw new Error(`Redis does not start:\n${log.join('')}`, { cause: error });
        }
        await sleep(10);
      }
    }
  };

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, 'exit');
    server.kill(signal);
    await exited;
  };

  await start();
  return {
    url,
    port,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    restart: start,
    flush: async () => void (await command('flushall')),
    command,
    async remove() {
      await end('SIGKILL');
      await directory.remove();
    },
  };
}
