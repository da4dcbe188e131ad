/** The table `api_keys`: creating, listing, revoking, each act with its entry in the audit log. */
import { audit } from '../../storage/audit-log.js';
import type { Database, Row, Session } from '../../storage/database.js';
import { OperationalError } from '../../telemetry/operational-error.js';
import { formatTimestamp, parseTimestamp, sqlTimestamp } from '../../telemetry/timestamp.js';
import { SCOPES, type Scope } from '../scopes.js';
import { DeviceScope } from '../device-scope.js';
import { newApiKeyText, type ParsedApiKey } from './api-key.js';

/** What somebody asks for. */
export interface NewKey {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** null: all sites. */
  readonly sites: readonly string[] | null;
  /** Ids, or prefixes that end with `*`; null: all devices. */
  readonly devices: readonly string[] | null;
  /** null: the configured limit. */
  readonly requestsPerSecond: number | null;
  readonly recordsPerSecond: number | null;
  /** Epoch microseconds; null: never. */
  readonly expiresAtUs: number | null;
}

/** A key as the API and the command line show it: all but what opens the door. */
export interface KeyInfo {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly sites: readonly string[] | null;
  readonly devices: readonly string[] | null;
  readonly requests_per_second: number | null;
  readonly records_per_second: number | null;
  readonly created_at: string;
  readonly created_by: string;
  readonly expires_at: string | null;
  readonly revoked_at: string | null;
  /** To within a minute. */
  readonly last_used_at: string | null;
}

/** A key that lets in, as the process keeps it. */
export interface ActiveKey extends ParsedApiKey {
  readonly scopes: ReadonlySet<Scope>;
  readonly fleet: DeviceScope | undefined;
  readonly requestsPerSecond: number | null;
  readonly recordsPerSecond: number | null;
  /** Epoch milliseconds; Infinity: never. */
  readonly expiresAtMs: number;
}

/** Keys in force at a time: every process keeps all of them in memory. */
const MAX_ACTIVE_KEYS = 10_000;
/** A list shows so many; the newest first. */
const MAX_LISTED_KEYS = 1000;
const MAX_NAME_LENGTH = 128;
const MAX_RESTRICTIONS = 1000;

const COLUMNS = `id, name, scopes, sites, devices, requests_per_second, records_per_second, created_at, created_by,
  expires_at, revoked_at, last_used_at`;
const IN_FORCE = 'revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())';

// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f]/;
const isText = (text: string): boolean => text !== '' && !UNPRINTABLE.test(text) && text.isWellFormed();

/** Why there can be no such key, with the remedy; undefined when there can. */
export function checkNewKey(key: NewKey, nowUs: number): string | undefined {
  if (!isText(key.name) || Array.from(key.name).length > MAX_NAME_LENGTH)
    return `the name has to be 1 to ${MAX_NAME_LENGTH} printable characters, such as the gateway that gets the key`;
  if (key.scopes.length === 0 || key.scopes.some((scope) => !SCOPES.includes(scope)))
    return `the scopes have to be some of ${SCOPES.join(', ')}`;
  for (const list of [key.sites, key.devices]) {
    if (list !== null && (list.length === 0 || list.length > MAX_RESTRICTIONS || !list.every(isText)))
      return `a restriction has to name 1 to ${MAX_RESTRICTIONS} sites or devices; leave it out to allow all`;
  }
  const misplaced = key.devices?.find((pattern) => pattern.slice(0, -1).includes('*'));
  if (misplaced !== undefined)
    return `the device pattern ${JSON.stringify(misplaced)} has a * before its end; give a whole id, or a prefix and *`;
  if (key.scopes.includes('admin') && (key.sites ?? key.devices) !== null)
    return 'an admin key cannot be restricted to sites or devices: it could make itself a key that is not';
  if (key.expiresAtUs !== null && key.expiresAtUs <= nowUs)
    return 'the key would have expired already; give a later time';
  for (const rate of [key.requestsPerSecond, key.recordsPerSecond])
    if (rate !== null && !(rate > 0 && rate <= 1e9)) return 'a limit per second has to be above 0, at most 1e9';
  return undefined;
}

/**
 * Stores a key that `checkNewKey` has nothing against.
 * @returns its text, which cannot be had again
 * @throws OperationalError `too_many_keys`
 */
export async function createKey(
  database: Database,
  key: NewKey,
  actor: string,
): Promise<{ readonly text: string; readonly info: KeyInfo }> {
  const { text, id, secretHash } = newApiKeyText();
  return database.transaction(async (session) => {
    const [counted] = await session.query<{ keys: number }>(
      `SELECT count(*)::int AS keys FROM api_keys WHERE ${IN_FORCE}`,
    );
    if ((counted?.keys ?? 0) >= MAX_ACTIVE_KEYS)
      throw new OperationalError(
        'too_many_keys',
        `There are ${MAX_ACTIVE_KEYS} keys in force, which is the bound. Revoke those that nobody uses.`,
      );
    const [row] = await session.query(
      `INSERT INTO api_keys (id, name, secret_hash, scopes, sites, devices, requests_per_second, records_per_second,
         created_by, expires_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7::real, $8::real, $9, $10::timestamptz) RETURNING ${COLUMNS}`,
      [
        id,
        key.name,
        secretHash,
        [...new Set(key.scopes)],
        key.sites,
        key.devices,
        key.requestsPerSecond,
        key.recordsPerSecond,
        actor,
        key.expiresAtUs === null ? null : sqlTimestamp(key.expiresAtUs),
      ],
    );
    const info = toInfo(row as Row);
    const { name, scopes, sites, devices, expires_at } = info;
    await audit(session, {
      actor,
      action: 'key.create',
      target: id,
      detail: { name, scopes, sites, devices, expires_at },
    });
    return { text, info };
  });
}

/** Revokes a key; the second time changes nothing. Resolves to undefined when there is none of this id. */
export async function revokeKey(database: Database, id: string, actor: string): Promise<KeyInfo | undefined> {
  return database.transaction(async (session) => {
    const [revoked] = await session.query(
      `UPDATE api_keys SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL RETURNING ${COLUMNS}`,
      [id],
    );
    if (revoked !== undefined) {
      const info = toInfo(revoked);
      await audit(session, { actor, action: 'key.revoke', target: id, detail: { name: info.name } });
      return info;
    }
    const [known] = await session.query(`SELECT ${COLUMNS} FROM api_keys WHERE id = $1`, [id]);
    return known === undefined ? undefined : toInfo(known);
  });
}

/** The keys, newest first, revoked and expired ones too. */
export async function listKeys(session: Session): Promise<KeyInfo[]> {
  const rows = await session.query(
    `SELECT ${COLUMNS} FROM api_keys ORDER BY created_at DESC, id LIMIT ${MAX_LISTED_KEYS}`,
  );
  return rows.map(toInfo);
}

/** The keys in force. */
export async function readActiveKeys(session: Session): Promise<ActiveKey[]> {
  const rows = await session.query(
    `SELECT id, secret_hash, scopes, sites, devices, requests_per_second, records_per_second,
       (extract(epoch FROM expires_at) * 1000)::float8 AS expires_ms
     FROM api_keys WHERE ${IN_FORCE} ORDER BY created_at LIMIT ${MAX_ACTIVE_KEYS}`,
  );
  return rows.map((row) => ({
    id: row['id'] as string,
    secretHash: row['secret_hash'] as Uint8Array,
    scopes: new Set(row['scopes'] as Scope[]),
    fleet: DeviceScope.of(row['sites'] as string[] | null, row['devices'] as string[] | null),
    requestsPerSecond: row['requests_per_second'] as number | null,
    recordsPerSecond: row['records_per_second'] as number | null,
    expiresAtMs: (row['expires_ms'] as number | null) ?? Number.POSITIVE_INFINITY,
  }));
}

/** Notes when keys were last used: id → epoch microseconds. Never moves a time back. */
export async function noteLastUse(session: Session, uses: ReadonlyMap<string, number>): Promise<void> {
  await session.execute(
    `UPDATE api_keys SET last_used_at = used.at
     FROM (SELECT id, timestamptz 'epoch' + us * interval '1 microsecond' AS at
           FROM unnest($1::text[], $2::bigint[]) AS noted (id, us)) AS used
     WHERE api_keys.id = used.id AND (last_used_at IS NULL OR last_used_at < used.at)`,
    [[...uses.keys()], [...uses.values()]],
  );
}

/** RFC 3339 of a timestamptz as the database gives it; null stays null. */
function instant(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  const micros = parseTimestamp(value);
  return typeof micros === 'number' ? formatTimestamp(micros) : value;
}

function toInfo(row: Row): KeyInfo {
  return {
    id: row['id'] as string,
    name: row['name'] as string,
    scopes: row['scopes'] as Scope[],
    sites: row['sites'] as string[] | null,
    devices: row['devices'] as string[] | null,
    requests_per_second: row['requests_per_second'] as number | null,
    records_per_second: row['records_per_second'] as number | null,
    created_at: instant(row['created_at']) as string,
    created_by: row['created_by'] as string,
    expires_at: instant(row['expires_at']),
    revoked_at: instant(row['revoked_at']),
    last_used_at: instant(row['last_used_at']),
  };
}
