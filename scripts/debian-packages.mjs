// The tests start real services, from Debian's packages. This installs what is missing, or says how to.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';

/** What the tests start, and the file that shows that it is there, whoever installed it. */
const NEEDED = {
  'postgresql-15': '/usr/lib/postgresql/15/bin/initdb',
  'redis-server': '/usr/bin/redis-server',
  'rabbitmq-server': '/usr/sbin/rabbitmq-server',
  chromium: '/usr/bin/chromium',
  faketime: '/usr/bin/faketime',
};

/** Packages that bring a service of the same name. */
const SERVICES = ['redis-server', 'rabbitmq-server', 'epmd'];

function aptGet(...args) {
  const { status, error } = spawnSync('apt-get', ['-q', ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (status !== 0) throw new Error(`apt-get ${args.join(' ')} failed: ${error?.message ?? `exit code ${status}`}`);
}

/** The tests start clusters of their own on private ports: none should start by being installed. */
function createNoCluster() {
  const file = '/etc/postgresql-common/createcluster.conf';
  if (existsSync(file)) return; // PostgreSQL was here before us
  mkdirSync('/etc/postgresql-common', { recursive: true });
  writeFileSync(file, 'create_main_cluster = false\n');
}

/** Debian starts a service when it is installed, and at every boot from then on. Nobody has asked for that here. */
function withoutStartingServices(missing, install) {
  const policy = '/usr/sbin/policy-rc.d';
  const ownPolicy = !existsSync(policy); // images for containers bring one that forbids starting
  if (ownPolicy) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    install();
  } finally {
    if (ownPolicy) rmSync(policy);
  }
  const services = SERVICES.filter((name) => missing.includes(name));
  if (services.length > 0 && existsSync('/run/systemd/system')) spawnSync('systemctl', ['disable', ...services]);
}

/**
 * Installs what is missing.
 * @throws {Error} that names the command to run, where this process may not install anything
 */
export function ensureDebianPackages() {
  const missing = Object.keys(NEEDED).filter((name) => !existsSync(NEEDED[name]));
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    throw new Error(
      `The tests start real services, and ${missing.join(', ')} ${missing.length > 1 ? 'are' : 'is'} not installed. On Debian 12 run:\n` +
        `  sudo apt-get update && sudo apt-get install --no-install-recommends ${missing.join(' ')}`,
    );
  }
  console.log(`installing ${missing.join(', ')}: the tests start them on private ports`);
  createNoCluster();
  aptGet('update');
  withoutStartingServices(missing, () => aptGet('install', '-y', '--no-install-recommends', ...missing));
}
