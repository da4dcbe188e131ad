/**
 * A private RabbitMQ for tests: its own directory, its own node name, ports of its own on 127.0.0.1, gone afterwards.
 * Erlang's port mapper (epmd) runs beside it in the foreground, since the one that Erlang starts itself never ends.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { connect } from 'amqplib';
import { freePort } from './free-port.js';
import { createTemporaryDirectory } from './temporary-directory.js';

/** The scripts themselves: those in /usr/sbin change to the user of Debian's own broker. */
const BIN = '/usr/lib/rabbitmq/bin';
const START_TIMEOUT_MS = 60_000;

export interface RabbitmqServer {
  /** The virtual host `/`. */
  readonly url: string;
  readonly port: number;
  /** The same broker through another port, such as a proxy's. */
  urlAt(port: number): string;
  /** A fresh, empty virtual host; its URL. */
  createVirtualHost(): Promise<string>;
  /** Runs one command of rabbitmqctl. */
  control(...parameters: string[]): Promise<string>;
  /** Stops it as an operator would. */
  stop(): Promise<void>;
  /** Stops it as a power cut would, without its knowledge. */
  kill(): Promise<void>;
  /** Starts it again on the same port, with what it had written down. */
  restart(): Promise<void>;
  /** Stops it and removes its directory. */
  remove(): Promise<void>;
}

/** @param settings lines of rabbitmq.conf */
export async function startRabbitmq({ settings = [] }: { settings?: readonly string[] } = {}): Promise<RabbitmqServer> {
  const directory = createTemporaryDirectory('rabbitmq');
  const [port, distributionPort, epmdPort] = [await freePort(), await freePort(), await freePort()];
  const node = `test-${port}@localhost`;
  const url = `amqp://guest:guest@127.0.0.1:${port}`;
  const configuration = join(directory.path, 'rabbitmq.conf');
  const plugins = join(directory.path, 'enabled_plugins');
  writeFileSync(configuration, ['log.console = true', 'log.file = false', ...settings, ''].join('\n'));
  writeFileSync(plugins, '[].\n');
  const environment = {
    PATH: process.env['PATH'],
    HOME: directory.path,
    LANG: 'C.UTF-8',
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: node,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_MNESIA_BASE: join(directory.path, 'mnesia'),
    RABBITMQ_LOG_BASE: join(directory.path, 'log'),
    RABBITMQ_ENABLED_PLUGINS_FILE: plugins,
    RABBITMQ_CONFIG_FILE: configuration,
    RABBITMQ_PID_FILE: join(directory.path, 'pid'),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}',
  };
  const epmd = spawn('epmd', ['-port', String(epmdPort), '-address', '127.0.0.1'], { stdio: 'ignore' });
  await once(epmd, 'spawn');
  let server: ChildProcess;
  let virtualHosts = 0;

  const control = async (...parameters: string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)(join(BIN, 'rabbitmqctl'), ['--quiet', ...parameters], {
      cwd: '/',
      env: environment,
    });
    return stdout;
  };

  /** Evaluates Erlang expressions in the broker: what rabbitmqctl does too, which takes a second to start. */
  const evaluate = async (expressions: string): Promise<void> => {
    const cookie = readFileSync(join(directory.path, '.erlang.cookie'), 'utf8').trim();
    const ask = async (): Promise<string> => {
      const call = promisify(execFile)('erl_call', ['-r', '-sname', node, '-c', cookie, '-e'], { env: environment });
      call.child.stdin?.end(`${expressions}\n`);
      return (await call).stdout;
    };
    let stdout: string | undefined;
    for (let attempt = 1; stdout === undefined; attempt++) {
      try {
        stdout = await ask();
      } catch (error) {
        // Nodes greet each other before they talk, and on a busy machine a greeting may take too long.
        if (attempt === 20 || !String(error).includes('failed to connect')) throw error;
        await sleep(250);
      }
    }
    if (!stdout.startsWith('{ok, ok}')) throw new Error(`RabbitMQ refused ${expressions}: ${stdout}`);
  };

  const start = async (): Promise<void> => {
    const log: string[] = [];
    // A process group of its own: the script, the virtual machine and its helpers go together.
    server = spawn(join(BIN, 'rabbitmq-server'), [], {
      cwd: directory.path,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    for (const stream of [server.stdout, server.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        log.push(chunk.toString());
        if (log.length > 200) log.shift();
      });
    }
    await once(server, 'spawn');
    const deadline = Date.now() + START_TIMEOUT_MS;
    for (;;) {
      try {
        const connection = await connect(url, { timeout: 5000 });
        return await connection.close();
      } catch (error) {
        if (Date.now() > deadline || server.exitCode !== null) {
          throw new Error(`RabbitMQ does not start:\n${log.join('')}`, { cause: error });
        }
        await sleep(50);
      }
    }
  };

  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, 'exit');
    process.kill(-(server.pid as number), signal);
    await exited;
  };

  const remove = async (): Promise<void> => {
    await end('SIGKILL');
    const exited = once(epmd, 'exit');
    epmd.kill('SIGTERM');
    await exited;
    await directory.remove();
  };

  try {
    await start();
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    url,
    port,
    urlAt: (other) => url.replace(`:${port}`, `:${other}`),
    async createVirtualHost() {
      const name = `test_${++virtualHosts}`;
      await evaluate(
        `ok = rabbit_vhost:add(<<"${name}">>, <<"test">>),
         rabbit_auth_backend_internal:set_permissions(<<"guest">>, <<"${name}">>, <<".*">>, <<".*">>, <<".*">>, <<"test">>).`,
      );
      return `${url}/${name}`;
    },
    control,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    restart: start,
    remove,
  };
}
