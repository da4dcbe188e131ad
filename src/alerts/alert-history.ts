/** What is the case, and what was: the table `alerts` as people see it. */
import type { DeviceScope } from '../ingest/device-scope.js';
import type { Row, Session, SqlValue } from '../storage/database.js';
import { sqlInstant } from '../telemetry/sql-instant.js';
import { formatTimestamp, sqlTimestamp } from '../telemetry/timestamp.js';
import type { AlertList, ShownAlert } from './alert-schemas.js';

/** A fleet that is silent is shown as so many. */
const MAX_OPEN = 1000;

const COLUMNS = `a.id, a.fingerprint, a.rule, a.severity, a.state, a.labels, a.summary, a.detail, a.seen_at, a.raised_at, a.ended_at, a.told,
  a.silence_id, sent.attempts, sent.delivered`;

/** Which messages an alert is in is looked up for those shown alone. */
const listSql = (page: string): string => `
  SELECT ${COLUMNS} FROM (${page}) a CROSS JOIN LATERAL (
    SELECT coalesce(sum(m.attempts), 0)::int AS attempts, (count(*) FILTER (WHERE m.state = 'delivered'))::int AS delivered
    FROM alert_messages m WHERE m.alert_ids @> ARRAY[a.id]
  ) sent ORDER BY `;

/**
 * What the restrictions of the caller's key leave, as DeviceScope; NULL restricts nothing. Of what is about no site, or about no device
 * where the key is for some, it sees nothing.
 */
const COVERED = `($1::text[] IS NULL OR labels ->> 'site' = ANY($1::text[]))
  AND ($2::text[] IS NULL OR labels ->> 'device' = ANY($2::text[])
    OR EXISTS (SELECT FROM unnest($3::text[]) AS prefix WHERE starts_with(labels ->> 'device', prefix)))`;
const scopeOf = (fleet: DeviceScope | undefined): SqlValue[] => [
  fleet?.sites ?? null,
  fleet?.ids ?? null,
  fleet?.prefixes ?? null,
];

/** Those that fire, and those about to, the gravest and newest first. @param fleet the part of it that the caller may see */
export async function readOpenAlerts(session: Session, fleet?: DeviceScope): Promise<AlertList> {
  const page = `SELECT * FROM alerts WHERE state <> 'resolved' AND ${COVERED}
    ORDER BY state = 'pending', severity, seen_at DESC, id DESC LIMIT ${MAX_OPEN}`;
  const order = `a.state = 'pending', a.severity, a.seen_at DESC, a.id DESC`;
  return listOf(await session.query(`${listSql(page)} ${order}`, scopeOf(fleet)));
}

/** Every alert that was raised, newest first. @param sinceUs epoch microseconds; null: from the beginning */
export async function readAlertHistory(
  session: Session,
  sinceUs: number | null,
  limit: number,
  fleet?: DeviceScope,
): Promise<AlertList> {
  const page = `SELECT * FROM alerts
    WHERE raised_at IS NOT NULL AND ($4::timestamptz IS NULL OR raised_at >= $4::timestamptz) AND ${COVERED}
    ORDER BY raised_at DESC, id DESC LIMIT $5`;
  const since = sinceUs === null ? null : sqlTimestamp(sinceUs);
  return listOf(await session.query(`${listSql(page)} a.raised_at DESC, a.id DESC`, [...scopeOf(fleet), since, limit]));
}

const listOf = (rows: readonly Row[]): AlertList => ({
  as_of: formatTimestamp(Date.now() * 1000),
  alerts: rows.map(shownAlert),
});

const shownAlert = (row: Row): ShownAlert => ({
  id: Number(row['id']),
  fingerprint: row['fingerprint'] as string,
  rule: row['rule'] as string,
  severity: row['severity'] as ShownAlert['severity'],
  state: row['state'] as ShownAlert['state'],
  labels: row['labels'] as ShownAlert['labels'],
  summary: row['summary'] as string,
  detail: row['detail'] as ShownAlert['detail'],
  seen_at: sqlInstant(row['seen_at']) as string,
  raised_at: sqlInstant(row['raised_at']),
  ended_at: sqlInstant(row['ended_at']),
  told: row['told'] as ShownAlert['told'],
  silence_id: row['silence_id'] === null ? null : Number(row['silence_id']),
  attempts: Number(row['attempts']),
  delivered: Number(row['delivered']),
});
