import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';

const isInstalled = (name: string): boolean => {
  const { stdout } = spawnSync('dpkg-query', ['-W', '-f', '${db:Status-Status}', name], { encoding: 'utf8' });
  return stdout === 'installed';
};

const aptGet = (...args: string[]): void => {
  execFileSync('apt-get', ['-q', ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
};

/** The tests start servers of their own, as ordinary processes: nothing should start by being installed. */
function keepServicesFromStarting(): void {
  mkdirSync('/etc/postgresql-common', { recursive: true });
  writeFileSync('/etc/postgresql-common/createcluster.conf', 'create_main_cluster = false\n');
}

/**
 * Installs what is missing of these Debian packages.
 * @throws Error that says what to install, where this process may not do so itself
 */
export function ensureDebianPackages(names: readonly string[]): void {
  const missing = names.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0) {
    throw new Error(`The tests need these Debian packages: sudo apt-get install ${missing.join(' ')}`);
  }
  const clusters = missing.some((name) => name.startsWith('postgresql'));
  if (clusters) keepServicesFromStarting();
  aptGet('update');
  aptGet('install', '-y', '--no-install-recommends', ...missing);
}
