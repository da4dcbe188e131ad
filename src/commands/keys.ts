/** `downhole keys create|list|revoke`: who may send, read and administer. */
import { SCOPES, type Scope } from '../ingest/scopes.js';
import { checkNewKey, type KeyInfo, type NewKey } from '../ingest/keys/key-table.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { withAdministration } from './administration.js';
import { loadSettings, type GlobalOptions } from './load-settings.js';
import { readMoment } from './read-moment.js';
import { textTable } from './text-table.js';

/** As the command line gives them: texts. */
export interface CreateKeyOptions extends GlobalOptions {
  readonly name: string;
  readonly scope: readonly string[];
  readonly site?: readonly string[];
  readonly device?: readonly string[];
  readonly expires?: string;
  readonly requestsPerSecond?: string;
  readonly recordsPerSecond?: string;
}

/**
 * Makes a key and prints it on stdout, the only time that it can be seen.
 * @throws OperationalError `wrong_usage`, `too_many_keys`, and those of withAdministration
 */
export async function createApiKey(options: CreateKeyOptions): Promise<void> {
  const settings = loadQuietly(options);
  const wanted = readOptions(options);
  const problem = checkNewKey(wanted, Date.now() * 1000);
  if (problem !== undefined) throw new OperationalError('wrong_usage', `There can be no such key: ${problem}.`);
  const { text, info } = await withAdministration(settings, 'keys', (admin) => admin.createKey(wanted));
  process.stderr.write(
    `Key ${info.id} for ${JSON.stringify(info.name)}: ${info.scopes.join(', ')}${restrictions(info)}.\n` +
      'It is shown this once; only its hash is kept. Hand it over on a safe way, to be sent as\n' +
      '  Authorization: Bearer KEY\n' +
      'and by the commands of Downhole from DOWNHOLE_API_KEY, or a file that DOWNHOLE_API_KEY_FILE names.\n' +
      (settings.config.http.requireKeys ? '' : 'The service asks for keys when http.requireKeys is true.\n'),
  );
  process.stdout.write(`${text}\n`);
}

/** Prints the keys, newest first. */
export async function listApiKeys(options: GlobalOptions): Promise<void> {
  const keys = await withAdministration(loadQuietly(options), 'keys', (admin) => admin.listKeys());
  const head = ['ID', 'NAME', 'SCOPES', 'FOR', 'STATE', 'LAST USED', 'CREATED', 'BY'];
  const nowMs = Date.now();
  const rows = keys.map((key) => [
    key.id,
    key.name,
    key.scopes.join(','),
    restrictions(key).slice(2) || 'all devices',
    stateOf(key, nowMs),
    key.last_used_at ?? 'never',
    key.created_at,
    key.created_by,
  ]);
  process.stdout.write(textTable([head, ...rows]));
}

/** Takes a key out of force. @throws OperationalError `unknown_key` */
export async function revokeApiKey(id: string, options: GlobalOptions): Promise<void> {
  // Whoever has the whole key at hand may give that: the id is in it.
  const given = /^dh_([a-z0-9]+)_/.exec(id)?.[1] ?? id;
  const info = await withAdministration(loadQuietly(options), 'keys', (admin) => admin.revokeKey(given));
  if (info === undefined)
    throw new OperationalError('unknown_key', `There is no key ${given}; \`downhole keys list\` shows those that are.`);
  process.stdout.write(`revoked ${info.id} (${info.name}) at ${info.revoked_at ?? ''}\n`);
  process.stderr.write('Every process that reaches the database refuses it within five seconds.\n');
}

const loadQuietly = (options: GlobalOptions) =>
  loadSettings(options, process.env['DOWNHOLE_LOG_LEVEL'] === undefined ? { logLevel: 'warn' } : {});

function readOptions(options: CreateKeyOptions): NewKey {
  const { name, scope, site, device, expires, requestsPerSecond, recordsPerSecond } = options;
  return {
    name,
    scopes: scope.flatMap((text) => text.split(',')).map((text) => readScope(text.trim())),
    sites: site ?? null,
    devices: device ?? null,
    requestsPerSecond: readRate('--requests-per-second', requestsPerSecond),
    recordsPerSecond: readRate('--records-per-second', recordsPerSecond),
    expiresAtUs: expires === undefined ? null : readMoment('--expires', expires, 1),
  };
}

function readScope(text: string): Scope {
  const scope = SCOPES.find((known) => known === text);
  if (scope !== undefined) return scope;
  throw new OperationalError(
    'wrong_usage',
    `There is no scope ${JSON.stringify(text)}; there are ${SCOPES.join(', ')}.`,
  );
}

function readRate(option: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const rate = Number(text);
  if (text.trim() !== '' && Number.isFinite(rate)) return rate;
  throw new OperationalError('wrong_usage', `${option} ${JSON.stringify(text)} is no number.`);
}

function restrictions(key: KeyInfo): string {
  const parts = [
    key.sites === null ? '' : `sites ${key.sites.join(', ')}`,
    key.devices === null ? '' : `devices ${key.devices.join(', ')}`,
    key.requests_per_second === null ? '' : `${key.requests_per_second} requests/s`,
    key.records_per_second === null ? '' : `${key.records_per_second} records/s`,
  ].filter((part) => part !== '');
  return parts.map((part) => `; ${part}`).join('');
}

function stateOf(key: KeyInfo, nowMs: number): string {
  if (key.revoked_at !== null) return `revoked ${key.revoked_at}`;
  if (key.expires_at === null) return 'in force';
  return `${Date.parse(key.expires_at) <= nowMs ? 'expired' : 'until'} ${key.expires_at}`;
}
