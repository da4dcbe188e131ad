/** `downhole ingest | pipeline | jobs | console`, `downhole run ROLE…` and `downhole up`. */
import { loadSettings, type GlobalOptions } from './load-settings.js';
import { ROLES, parseRoles, type Role } from './roles.js';
import { startProcess, type ProcessOptions } from './start-process.js';
import { untilStopped } from './until-stopped.js';

/** One role in a process of its own. */
export async function runRole(role: Role, options: GlobalOptions, version: string): Promise<void> {
  await runUntilStopped(options, { version, roles: [role], command: role });
}

/** Several roles in one process. @throws OperationalError `wrong_usage` for what is no role */
export async function runRoles(names: readonly string[], options: GlobalOptions, version: string): Promise<void> {
  const roles = parseRoles(names);
  await runUntilStopped(options, { version, roles, command: `run ${roles.join(' ')}` });
}

/** All roles, with simulated wells; what is not on a server is embedded. */
export async function runEverything(options: GlobalOptions, version: string): Promise<void> {
  await runUntilStopped(options, { version, roles: ROLES, command: 'up', simulates: true });
}

/** Prints the address on stdout and returns after SIGINT or SIGTERM, once everything is put away. */
async function runUntilStopped(options: GlobalOptions, processOptions: ProcessOptions): Promise<void> {
  const { version, roles } = processOptions;
  const settings = loadSettings(options);
  const running = await startProcess(settings, processOptions);
  try {
    settings.events.emit('started', { version, roles: roles.join(' '), dataDir: settings.config.dataDir });
    process.stdout.write(
      `Downhole ${version} is running (${roles.join(', ')}): ${running.url}\nPress Ctrl-C to stop.\n`,
    );
    await untilStopped(settings.events, running.failed, () => running.close());
  } finally {
    await running.close();
  }
}
