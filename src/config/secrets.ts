/** Secrets of the configuration: how they are shown, and whether others can read them. */
import { statSync } from 'node:fs';
import { findKey } from './keys.js';
import type { Setting } from './settings.js';

const MASK = '***';
/** Parameters of a URL that carry a secret: `?password=…`, `?sslpassword=…`. */
const SECRET_PARAMETER = /pass|pwd|secret|token|key/i;
/** Permission of everybody else to read a file. */
const OTHERS_READ = 0o004;

/** A secret as it may be shown: of a URL, everything but the password; of anything else, nothing. */
export function maskSecret(value: string): string {
  if (value === '') return '';
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || url.hostname === '') return MASK;
  // An @ behind the host: the password has a character that ends it in a URL, and the rest would be shown as a path.
  if (`${url.pathname}${url.search}${url.hash}`.includes('@')) return MASK;
  if (url.password !== '') url.password = MASK;
  for (const name of new Set(url.searchParams.keys()))
    if (SECRET_PARAMETER.test(name)) url.searchParams.set(name, MASK);
  return url.href;
}

/** Warns of a configuration file with secrets in it that everybody on this machine can read. */
export function exposedSecrets(file: string, settings: readonly Setting[]): string[] {
  const keys = settings
    .filter(({ path, value }) => findKey(path)?.schema.secret === true && holdsSecret(value))
    .map(({ path }) => path);
  if (keys.length === 0 || process.platform === 'win32' || (statSync(file).mode & OTHERS_READ) === 0) return [];
  return [
    `${file} holds secrets (${keys.join(', ')}) and everybody on this machine can read it; run chmod o-r ${file}, ` +
      'or give them in files that variables name, as DOWNHOLE_DATABASE_URL_FILE does',
  ];
}

/** A URL without a password is none. */
const holdsSecret = (value: unknown): boolean => typeof value === 'string' && maskSecret(value).includes(MASK);
