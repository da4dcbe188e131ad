/** Roles of the program as a process of their own, on the services of a benchmark. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Services } from './services.js';

const CLI = fileURLToPath(new URL('../../src/cli.js', import.meta.url));

export interface RoleProcess {
  /** Where it answers. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts `downhole run ROLE…` and waits until it answers. */
export async function startRoles(
  services: Services,
  roles: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<RoleProcess> {
  const child = spawn(process.execPath, [CLI, 'run', ...roles], {
    env: {
      ...process.env,
      DOWNHOLE_DATA_DIR: services.dataDir,
      DOWNHOLE_DATABASE_URL: services.databaseUrl,
      DOWNHOLE_QUEUE_URL: services.queueUrl,
      DOWNHOLE_STATE_URL: services.redis.url,
      DOWNHOLE_HTTP_PORT: '0',
      DOWNHOLE_LOG_LEVEL: 'warn',
      ...(services.database.capabilities.timescale === 'community' ? {} : { DOWNHOLE_TEST_PLAIN_SCHEMA: '1' }),
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  for await (const line of createInterface(child.stdout)) {
    const [url] = /https?:\/\/\S+/.exec(line) ?? [];
    if (url === undefined) continue;
    child.stdout.resume();
    return {
      url,
      async stop() {
        child.kill('SIGTERM');
        await exited;
      },
    };
  }
  throw new Error(`the roles ${roles.join(', ')} ended before they answered`);
}
