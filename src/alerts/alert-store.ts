/** The table `alerts`: what rules found goes in, and alerts come up and pass. One transaction a look. */
import type { Database, Row, Session } from '../storage/database.js';
import { sqlTimestamp } from '../telemetry/timestamp.js';
import type { AlertCondition, AlertRule, RuleName, Severity } from './alert.js';
import { type AlertState, nextState } from './alert-state.js';
import { fingerprintOf } from './fingerprint.js';

/** What a rule found at a look. */
export interface RuleFindings {
  readonly rule: AlertRule;
  readonly conditions: readonly AlertCondition[];
}

/** An alert that came up, has passed, or fires with another severity than before. */
export interface Transition {
  readonly state: 'firing' | 'resolved' | 'regraded';
  readonly rule: RuleName;
  readonly severity: Severity;
  readonly fingerprint: string;
  readonly summary: string;
}

const MICROS = (column: string): string => `(extract(epoch FROM ${column}) * 1e6)::int8`;

/** Looks and messages of all processes one after another; gone with the transaction, also of a process that is killed. */
export const LOCK_SQL = 'LOCK TABLE alert_groups IN SHARE ROW EXCLUSIVE MODE';

/** Instants of processes whose clocks differ would make delays longer and shorter: the database has one. */
export async function readNow(session: Session): Promise<number> {
  const [row] = await session.query<{ now: number }>(`SELECT ${MICROS('clock_timestamp()')} AS now`);
  return Number(row?.now);
}

interface StoredAlert extends AlertState {
  readonly id: number;
  readonly fingerprint: string;
  readonly rule: RuleName;
  readonly severity: Severity;
  readonly summary: string;
}

interface Change {
  readonly id: number | null;
  readonly rule: AlertRule;
  readonly fingerprint: string;
  readonly condition: AlertCondition | undefined;
  readonly severity: Severity;
  readonly before: StoredAlert | undefined;
  readonly after: AlertState | undefined;
}

/**
 * Compares what was found with what is stored. Alerts of rules that are not among the findings stay as they are.
 * @param nowUs for tests; otherwise the clock of the database
 */
export async function applyFindings(
  database: Database,
  findings: readonly RuleFindings[],
  nowUs?: number,
): Promise<Transition[]> {
  if (findings.length === 0) return [];
  return database.transaction(async (session) => {
    await session.execute(LOCK_SQL);
    const at = nowUs ?? (await readNow(session));
    const open = await readOpen(
      session,
      findings.map(({ rule }) => rule.name),
    );
    const changes = findings.flatMap((each) => changesOf(each, open, at));
    await write(session, changes);
    return changes.flatMap(transitionOf);
  });
}

async function readOpen(session: Session, rules: readonly string[]): Promise<Map<string, StoredAlert>> {
  const rows = await session.query(
    `SELECT id, fingerprint, rule, severity, summary, state, ${MICROS('seen_at')} AS seen, ${MICROS('raised_at')} AS raised,
       ${MICROS('absent_since')} AS absent FROM alerts WHERE state <> 'resolved' AND rule = ANY($1::text[])`,
    [rules],
  );
  return new Map(rows.map((row) => [row['fingerprint'] as string, storedAlert(row)]));
}

const storedAlert = (row: Row): StoredAlert => ({
  id: Number(row['id']),
  fingerprint: row['fingerprint'] as string,
  rule: row['rule'] as RuleName,
  severity: row['severity'] as Severity,
  summary: row['summary'] as string,
  state: row['state'] as 'pending' | 'firing',
  seenUs: Number(row['seen']),
  raisedUs: row['raised'] === null ? null : Number(row['raised']),
  absentUs: row['absent'] === null ? null : Number(row['absent']),
  endedUs: null,
});

function changesOf(
  { rule, conditions }: RuleFindings,
  open: ReadonlyMap<string, StoredAlert>,
  nowUs: number,
): Change[] {
  const delays = { forUs: rule.forSeconds * 1e6, resolveUs: rule.resolveSeconds * 1e6 };
  const found = new Map(conditions.map((each) => [fingerprintOf(rule.name, each.labels), each]));
  const changes: Change[] = [...found].map(([fingerprint, condition]) => {
    const before = open.get(fingerprint);
    const sighting = condition.isLingering === true ? 'lingering' : 'present';
    const after = nextState(before, sighting, nowUs, delays);
    return {
      id: before?.id ?? null,
      rule,
      fingerprint,
      condition,
      severity: graded(rule, condition, before),
      before,
      after,
    };
  });
  for (const before of open.values()) {
    if (before.rule !== rule.name || found.has(before.fingerprint)) continue;
    const after = nextState(before, 'absent', nowUs, delays);
    const { id, fingerprint, severity } = before;
    changes.push({ id, rule, fingerprint, condition: undefined, severity, before, after });
  }
  return changes.filter(
    ({ before, after, condition, severity }) =>
      before !== after || isReworded(before, condition) || (before !== undefined && severity !== before.severity),
  );
}

/** What lingers keeps the severity that it had: nobody is told anew of what somebody knows of already. */
function graded(rule: AlertRule, condition: AlertCondition, before: StoredAlert | undefined): Severity {
  const severity = condition.severity ?? rule.severity;
  return before !== undefined && condition.isLingering === true ? before.severity : severity;
}

/** The same trouble, and there is more to say of it by now. */
const isReworded = (before: StoredAlert | undefined, condition: AlertCondition | undefined): boolean =>
  before !== undefined && condition !== undefined && condition.summary !== before.summary;

async function write(session: Session, changes: readonly Change[]): Promise<void> {
  const gone = changes.filter(({ id, after }) => id !== null && after === undefined);
  if (gone.length > 0)
    await session.execute('DELETE FROM alerts WHERE id = ANY($1::int8[])', [gone.map(({ id }) => id)]);
  await insert(
    session,
    changes.filter(({ id, after }) => id === null && after !== undefined),
  );
  await update(
    session,
    changes.filter(({ id, after }) => id !== null && after !== undefined),
  );
}

const text = (us: number | null | undefined): string | null => (us == null ? null : sqlTimestamp(us));

async function insert(session: Session, changes: readonly Change[]): Promise<void> {
  if (changes.length === 0) return;
  await session.execute(
    `INSERT INTO alerts (fingerprint, rule, group_key, labels, severity, summary, detail, state, seen_at, raised_at)
     SELECT fingerprint, rule, group_key, labels::jsonb, severity, summary, detail::jsonb, state, seen::timestamptz, raised::timestamptz
     FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
       AS found (fingerprint, rule, group_key, labels, severity, summary, detail, state, seen, raised)
     ON CONFLICT (fingerprint) WHERE state <> 'resolved' DO NOTHING`,
    [
      changes.map(({ fingerprint }) => fingerprint),
      changes.map(({ rule }) => rule.name),
      changes.map(groupKeyOf),
      changes.map(({ condition }) => JSON.stringify(condition?.labels ?? {})),
      changes.map(({ severity }) => severity),
      changes.map(({ condition }) => condition?.summary ?? ''),
      changes.map(({ condition }) => JSON.stringify(condition?.detail ?? {})),
      changes.map(({ after }) => after?.state ?? 'pending'),
      changes.map(({ after }) => text(after?.seenUs)),
      changes.map(({ after }) => text(after?.raisedUs)),
    ],
  );
}

/** `device_silent site=North`: what is told of in one message. */
function groupKeyOf({ rule, condition }: Change): string {
  return [rule.name, ...rule.groupBy.map((label) => `${label}=${condition?.labels[label] ?? ''}`)].join(' ');
}

async function update(session: Session, changes: readonly Change[]): Promise<void> {
  if (changes.length === 0) return;
  await session.execute(
    `UPDATE alerts SET state = found.state, raised_at = found.raised::timestamptz, absent_since = found.absent::timestamptz,
       ended_at = found.ended::timestamptz, summary = coalesce(found.summary, alerts.summary), detail = coalesce(found.detail::jsonb, alerts.detail),
       severity = found.severity
     FROM unnest($1::int8[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
       AS found (id, state, raised, absent, ended, summary, detail, severity)
     WHERE alerts.id = found.id`,
    [
      changes.map(({ id }) => id),
      changes.map(({ after }) => after?.state ?? null),
      changes.map(({ after }) => text(after?.raisedUs)),
      changes.map(({ after }) => text(after?.absentUs)),
      changes.map(({ after }) => text(after?.endedUs)),
      changes.map(({ condition }) => condition?.summary ?? null),
      changes.map(({ condition }) => (condition === undefined ? null : JSON.stringify(condition.detail))),
      changes.map(({ severity }) => severity),
    ],
  );
}

function transitionOf({ rule, fingerprint, condition, severity, before, after }: Change): Transition[] {
  if (after === undefined || after.state === 'pending') return [];
  const summary = condition?.summary ?? before?.summary ?? '';
  const about = { rule: rule.name, severity, fingerprint, summary };
  if (after.state !== before?.state) return [{ state: after.state, ...about }];
  return severity === before.severity ? [] : [{ state: 'regraded', ...about }];
}

/** How many alerts are firing, by rule and severity. */
export async function countFiring(
  session: Session,
): Promise<readonly { readonly rule: string; readonly severity: string; readonly alerts: number }[]> {
  return session.query<{ rule: string; severity: string; alerts: number }>(
    `SELECT rule, severity, count(*)::int AS alerts FROM alerts WHERE state = 'firing' GROUP BY rule, severity`,
  );
}
