/**
 * The table `alert_messages`: what is to be told, and what has become of it. A message is claimed for as long as an attempt
 * takes: of a process that is killed meanwhile another one takes it over, with the same id. Messages of a group stay in order.
 */
import { randomUUID } from 'node:crypto';
import type { Database, Row, Session } from '../storage/database.js';
import { sqlTimestamp } from '../telemetry/timestamp.js';
import type { Severity, ToldAlert } from './alert.js';
import { LOCK_SQL, readNow } from './alert-store.js';
import {
  type ActiveSilence,
  isNews,
  type MessageTimes,
  type OpenAlert,
  type PlannedMessage,
  planMessages,
} from './plan-messages.js';

/** What a channel delivers. The same id however often it is tried: receivers can tell a copy by it. */
export interface AlertMessage {
  readonly id: string;
  readonly groupKey: string;
  readonly alerts: readonly ToldAlert[];
  /** Alerts beyond those listed. */
  readonly omitted: number;
}

export interface ClaimedMessage {
  readonly seq: number;
  readonly attempt: number;
  readonly message: AlertMessage;
}

/** A fleet that is silent is one piece of news, not ten thousand. */
const MAX_LISTED = 100;

const MICROS = (column: string): string => `(extract(epoch FROM ${column}) * 1e6)::int8`;

/**
 * Writes the messages that are due, one for each channel, in the transaction that notes that they have been.
 * @param nowUs for tests; otherwise the clock of the database
 * @returns how many messages
 */
export async function writeDueMessages(
  database: Database,
  channels: readonly string[],
  times: MessageTimes,
  nowUs?: number,
): Promise<number> {
  return database.transaction(async (session) => {
    await session.execute(LOCK_SQL);
    const at = nowUs ?? (await readNow(session));
    const alerts = await readUntold(session);
    if (alerts.length === 0) return 0;
    const { messages, untold, silenced } = planMessages(
      alerts,
      await readSilences(session, at),
      await readTold(session),
      at,
      times,
    );
    for (const message of messages) await writeMessage(session, message, channels, at);
    await noteSilences(session, untold, silenced);
    return messages.length;
  });
}

async function readUntold(session: Session): Promise<OpenAlert[]> {
  const rows = await session.query(
    `SELECT id, fingerprint, rule, group_key, severity, labels, summary, detail, state, told, told_severity, ${MICROS('raised_at')} AS raised, ${MICROS('ended_at')} AS ended
     FROM alerts WHERE (state <> 'resolved' OR told <> 'resolved') AND state <> 'pending' ORDER BY id`,
  );
  return rows.map(openAlert);
}

const openAlert = (row: Row): OpenAlert => ({
  id: Number(row['id']),
  fingerprint: row['fingerprint'] as string,
  rule: row['rule'] as string,
  groupKey: row['group_key'] as string,
  severity: row['severity'] as Severity,
  labels: row['labels'] as Record<string, string>,
  summary: row['summary'] as string,
  detail: row['detail'] as Record<string, string | number | null>,
  state: row['state'] as 'firing' | 'resolved',
  told: row['told'] as OpenAlert['told'],
  toldSeverity: row['told_severity'] as Severity | null,
  raisedAtUs: Number(row['raised']),
  endedAtUs: row['ended'] === null ? null : Number(row['ended']),
});

async function readSilences(session: Session, nowUs: number): Promise<ActiveSilence[]> {
  return session.query<ActiveSilence & Row>(
    `SELECT id, device_id AS "deviceId", site, rule FROM alert_silences
     WHERE lifted_at IS NULL AND begins_at <= $1::timestamptz AND ends_at > $1::timestamptz ORDER BY id`,
    [sqlTimestamp(nowUs)],
  );
}

async function readTold(session: Session): Promise<Map<string, number>> {
  const rows = await session.query(`SELECT group_key, ${MICROS('told_at')} AS told FROM alert_groups`);
  return new Map(rows.map((row) => [row['group_key'] as string, Number(row['told'])]));
}

async function writeMessage(
  session: Session,
  { groupKey, alerts }: PlannedMessage,
  channels: readonly string[],
  nowUs: number,
): Promise<void> {
  // What is new comes first where not all are listed.
  const ordered = [...alerts].sort((a, b) => Number(isNews(b)) - Number(isNews(a)) || a.id - b.id);
  const message: AlertMessage = {
    id: randomUUID(),
    groupKey,
    alerts: ordered.slice(0, MAX_LISTED).map(toldAlert),
    omitted: Math.max(0, ordered.length - MAX_LISTED),
  };
  const ids = alerts.map(({ id }) => id);
  await session.execute(
    `INSERT INTO alert_messages (id, channel, group_key, alert_ids, payload)
     SELECT $1, channel, $2, $3::int8[], $4::jsonb FROM unnest($5::text[]) AS channel`,
    [message.id, groupKey, ids, JSON.stringify(message), channels],
  );
  await session.execute('UPDATE alerts SET told = state, told_severity = severity WHERE id = ANY($1::int8[])', [ids]);
  await session.execute(
    `INSERT INTO alert_groups (group_key, told_at) VALUES ($1, $2::timestamptz)
     ON CONFLICT (group_key) DO UPDATE SET told_at = excluded.told_at`,
    [groupKey, sqlTimestamp(nowUs)],
  );
}

const toldAlert = ({
  fingerprint,
  rule,
  severity,
  labels,
  summary,
  detail,
  raisedAtUs,
  endedAtUs,
}: OpenAlert): ToldAlert => ({
  fingerprint,
  rule,
  severity,
  labels,
  summary,
  detail,
  raisedAtUs,
  endedAtUs,
});

async function noteSilences(
  session: Session,
  untold: readonly OpenAlert[],
  silenced: readonly { readonly alert: OpenAlert; readonly silenceId: number }[],
): Promise<void> {
  if (untold.length > 0)
    await session.execute(`UPDATE alerts SET told = 'resolved' WHERE id = ANY($1::int8[])`, [
      untold.map(({ id }) => id),
    ]);
  if (silenced.length === 0) return;
  await session.execute(
    `UPDATE alerts SET silence_id = found.silence FROM unnest($1::int8[], $2::int8[]) AS found (id, silence)
     WHERE alerts.id = found.id AND alerts.silence_id IS DISTINCT FROM found.silence`,
    [silenced.map(({ alert }) => alert.id), silenced.map(({ silenceId }) => silenceId)],
  );
}

/** Claims the oldest message of a channel that is due and that no earlier one of its group stands before. */
export async function claimMessage(
  database: Database,
  channel: string,
  claimSeconds: number,
): Promise<ClaimedMessage | undefined> {
  const [row] = await database.query<{ seq: number; attempts: number; payload: AlertMessage }>(
    `UPDATE alert_messages SET attempts = attempts + 1, due_at = clock_timestamp() + make_interval(secs => $2)
     WHERE seq = (
       SELECT m.seq FROM alert_messages m
       WHERE m.channel = $1 AND m.state = 'waiting' AND m.due_at <= clock_timestamp() AND NOT EXISTS (
         SELECT FROM alert_messages earlier
         WHERE earlier.channel = m.channel AND earlier.state = 'waiting' AND earlier.group_key = m.group_key AND earlier.seq < m.seq)
       ORDER BY m.seq LIMIT 1 FOR UPDATE SKIP LOCKED)
     RETURNING seq, attempts, payload`,
    [channel, claimSeconds],
  );
  return row === undefined ? undefined : { seq: row.seq, attempt: row.attempts, message: row.payload };
}

export async function noteDelivered(database: Database, seq: number): Promise<void> {
  await database.execute(
    `UPDATE alert_messages SET state = 'delivered', finished_at = clock_timestamp(), error = NULL WHERE seq = $1`,
    [seq],
  );
}

/** @param retrySeconds undefined: it is given up */
export async function noteFailed(
  database: Database,
  seq: number,
  reason: string,
  retrySeconds: number | undefined,
): Promise<void> {
  await database.execute(
    `UPDATE alert_messages SET error = $2, state = CASE WHEN $3::float8 IS NULL THEN 'given_up' ELSE state END,
       finished_at = CASE WHEN $3::float8 IS NULL THEN clock_timestamp() END,
       due_at = clock_timestamp() + make_interval(secs => coalesce($3::float8, 0))
     WHERE seq = $1 AND state = 'waiting'`,
    [seq, reason, retrySeconds ?? null],
  );
}
