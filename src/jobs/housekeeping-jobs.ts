/** Jobs that keep the tables beside the readings small. */
import type { Database } from '../storage/database.js';
import { LEDGER_HOUR_DAYS, rollUpLedger } from '../storage/ledger-days.js';
import type { JobContext, JobDefinition, JobOutcome } from './job.js';

const RUN_LOG_DAYS = 30;
/** Per job; at one run each half minute that is a good week. */
const RUN_LOG_ROWS = 20_000;
/** A year and a month: the same month of the year before can still be looked at. */
const LEDGER_DAYS = 400;
/** Rows a statement: a fraction of a second. */
const LEDGER_ROWS_PER_SLICE = 20_000;
/** Hours a statement begins with; at most 24 times as many rows go for them. */
const LEDGER_HOURS_PER_SLICE = 1000;
/** A process whose last part is older than this has no doubt about it any more. */
const LEDGER_WRITER_DAYS = 30;

/** What is settled is kept so long as evidence, and so that a copy that comes late is known. */
const SETTLED_LETTER_DAYS = 90;
const LETTERS_A_SLICE = 2000;

/** The history of alerts; a message that nobody has a channel for any more waits no longer than a week. */
const ALERT_DAYS = 90;
const WAITING_MESSAGE_DAYS = 7;

/** Tables that are updated all the time, and TimescaleDB's own logs of what is to be refreshed. */
const VACUUMED_TABLES = [
  'devices',
  'device_latest',
  'device_state',
  'ledger',
  'ledger_writers',
  'late_days',
  'job_runs',
  'dead_letters',
  'alerts',
  'alert_messages',
  '_timescaledb_catalog.continuous_aggs_hypertable_invalidation_log',
  '_timescaledb_catalog.continuous_aggs_materialization_invalidation_log',
  '_timescaledb_catalog.continuous_aggs_watermark',
] as const;

export function housekeepingJobs(): JobDefinition[] {
  return [
    {
      name: 'prune-run-log',
      description: `keeps ${RUN_LOG_DAYS} days and at most ${RUN_LOG_ROWS} runs of each job in the run log`,
      lane: 'housekeeping',
      intervalSeconds: 3600,
      initialDelaySeconds: 120,
      run: pruneRunLog,
      findFault: () => Promise.resolve(null),
    },
    {
      name: 'prune-dead-letters',
      description: `removes dead letters ${SETTLED_LETTER_DAYS} days after they were replayed or purged`,
      lane: 'housekeeping',
      intervalSeconds: 3600,
      initialDelaySeconds: 150,
      run: pruneDeadLetters,
      findFault: () => Promise.resolve(null),
    },
    {
      name: 'prune-ledger',
      description: `keeps ${LEDGER_DAYS} days of the loss ledger`,
      lane: 'housekeeping',
      intervalSeconds: 3600,
      initialDelaySeconds: 150,
      run: pruneLedger,
      findFault: () => Promise.resolve(null),
    },
    {
      name: 'roll-up-ledger',
      description: `makes a row a day of the hours of the loss ledger that are older than ${LEDGER_HOUR_DAYS} days`,
      lane: 'housekeeping',
      intervalSeconds: 6 * 3600,
      initialDelaySeconds: 240,
      run: rollUp,
      findFault: () => Promise.resolve(null),
    },
    {
      name: 'prune-alerts',
      description: `removes alerts, their messages and maintenance windows ${ALERT_DAYS} days after their end`,
      lane: 'housekeeping',
      intervalSeconds: 3600,
      initialDelaySeconds: 270,
      run: pruneAlerts,
      findFault: () => Promise.resolve(null),
    },
    {
      name: 'vacuum',
      description: 'frees dead rows where the database has no background process that does',
      lane: 'housekeeping',
      intervalSeconds: 600,
      initialDelaySeconds: 180,
      run: vacuum,
      findFault: () => Promise.resolve(null),
    },
  ];
}

const PRUNE_SQL = `
  DELETE FROM job_runs WHERE finished_at < now() - make_interval(days => $1) OR id IN (
    SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY job ORDER BY started_at DESC) AS place FROM job_runs) ranked
    WHERE place > $2)`;

async function pruneRunLog({ database, slice }: JobContext): Promise<JobOutcome> {
  const deleted = await slice(() => database.execute(PRUNE_SQL, [RUN_LOG_DAYS, RUN_LOG_ROWS]));
  return { detail: { deleted }, more: false };
}

/** Those that wait for a decision stay for as long as it takes: they are all that is left of a record. */
const PRUNE_LETTERS_SQL = `
  DELETE FROM dead_letters WHERE id IN (
    SELECT id FROM dead_letters
    WHERE state IN ('replayed', 'purged') AND state_changed_at < now() - make_interval(days => $1) LIMIT $2)`;

async function pruneDeadLetters({ database, slice, shouldYield }: JobContext): Promise<JobOutcome> {
  let deleted = 0;
  for (;;) {
    const count = await slice(() => database.execute(PRUNE_LETTERS_SQL, [SETTLED_LETTER_DAYS, LETTERS_A_SLICE]));
    deleted += count;
    if (count < LETTERS_A_SLICE) return { detail: { deleted }, more: false };
    if (shouldYield()) return { detail: { deleted }, more: true };
  }
}

const PRUNE_ALERTS_SQL = [
  `DELETE FROM alerts WHERE state = 'resolved' AND ended_at < now() - make_interval(days => ${ALERT_DAYS})`,
  `DELETE FROM alert_messages WHERE created_at < now() - make_interval(days => CASE state WHEN 'waiting' THEN ${WAITING_MESSAGE_DAYS} ELSE ${ALERT_DAYS} END)`,
  `DELETE FROM alert_silences WHERE ends_at < now() - make_interval(days => ${ALERT_DAYS})`,
  `DELETE FROM alert_groups WHERE told_at < now() - make_interval(days => ${ALERT_DAYS})`,
];

async function pruneAlerts({ database, slice }: JobContext): Promise<JobOutcome> {
  let deleted = 0;
  for (const sql of PRUNE_ALERTS_SQL) deleted += await slice(() => database.execute(sql));
  return { detail: { deleted }, more: false };
}

const PRUNE_LEDGER_SQL = `
  DELETE FROM ledger WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM ledger WHERE hour < now() - make_interval(days => $1) LIMIT $2))`;
const PRUNE_WRITERS_SQL = 'DELETE FROM ledger_writers WHERE at < now() - make_interval(days => $1)';

async function pruneLedger({ database, slice, shouldYield }: JobContext): Promise<JobOutcome> {
  let deleted = 0;
  let isDone = false;
  while (!isDone && !shouldYield()) {
    const rows = await slice(() => database.execute(PRUNE_LEDGER_SQL, [LEDGER_DAYS, LEDGER_ROWS_PER_SLICE]));
    deleted += rows;
    isDone = rows < LEDGER_ROWS_PER_SLICE;
  }
  await slice(() => database.execute(PRUNE_WRITERS_SQL, [LEDGER_WRITER_DAYS]));
  return { detail: { deleted }, more: !isDone };
}

async function rollUp({ database, slice, shouldYield }: JobContext): Promise<JobOutcome> {
  const sum = { days: 0, hours: 0 };
  for (;;) {
    const { days, hours } = await slice(() => rollUpLedger(database, Date.now() * 1000, LEDGER_HOURS_PER_SLICE));
    sum.days += days;
    sum.hours += hours;
    if (days === 0) return { detail: sum, more: false };
    if (shouldYield()) return { detail: sum, more: true };
  }
}

async function vacuum(context: JobContext): Promise<JobOutcome> {
  if (await hasBackgroundProcesses(context.database)) return { detail: { tables: 0 }, more: false };
  let tables = 0;
  for (const table of VACUUMED_TABLES) {
    if (context.shouldYield()) break;
    await context.slice(() => context.database.script(`VACUUM (ANALYZE) ${table}`));
    tables++;
  }
  return { detail: { tables }, more: false };
}

/** A server lists at least our own session among its processes; an engine without processes lists nothing at all. */
async function hasBackgroundProcesses(database: Database): Promise<boolean> {
  const [row] = await database.query<{ present: boolean }>('SELECT EXISTS (SELECT FROM pg_stat_activity) AS present');
  return row?.present ?? true;
}
