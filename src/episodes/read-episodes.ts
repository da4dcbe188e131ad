/** Episodes as they are shown, and what alerts and the fleet page want to know of them. */
import type { DeviceScope } from '../ingest/device-scope.js';
import type { Row, Session } from '../storage/database.js';
import { anomalyCauseName } from '../telemetry/anomaly-cause.js';
import { CONDITIONS, type ConditionName } from '../telemetry/conditions.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { sqlInstant } from '../telemetry/sql-instant.js';
import { formatTimestamp, sqlTimestamp } from '../telemetry/timestamp.js';
import type { EpisodeDetail, EpisodeList, EpisodeShown, EpisodeState } from './episode-schemas.js';

/** Which episodes; what is absent restricts nothing. Instants are epoch microseconds. */
export interface EpisodeFilter {
  readonly device?: string | undefined;
  readonly site?: string | undefined;
  readonly state?: EpisodeState | 'all' | undefined;
  readonly acknowledged?: boolean | undefined;
  /** A condition, or `none`. */
  readonly diagnosis?: string | undefined;
  readonly sinceUs?: number | undefined;
  readonly untilUs?: number | undefined;
  /** The part of the fleet that the caller may see. */
  readonly fleet?: DeviceScope | undefined;
}

export interface EpisodePage {
  readonly limit: number;
  /** `next` of the page before. */
  readonly after?: string | undefined;
}

const STATE_SQL = `CASE WHEN e.closed_at IS NOT NULL THEN 'closed' WHEN e.ended_at IS NULL THEN 'open' ELSE 'ended' END`;
const MOST_NOTES = 500;

const COLUMNS = `e.*, d.display_name, d.site, ${STATE_SQL} AS state,
  extract(epoch FROM e.last_at - e.started_at)::float8 AS seconds,
  (SELECT count(*) FROM episode_notes n WHERE n.episode_id = e.id)::int AS notes`;
const FROM = 'FROM episodes e LEFT JOIN devices d USING (device_id)';

/** What the restrictions of the caller's key leave, as DeviceScope; NULL restricts nothing. */
const covered = (first: number): string => `
  ($${first}::text[] IS NULL OR d.site = ANY($${first}::text[]))
  AND ($${first + 1}::text[] IS NULL OR e.device_id = ANY($${first + 1}::text[])
    OR EXISTS (SELECT FROM unnest($${first + 2}::text[]) AS prefix WHERE starts_with(e.device_id, prefix)))`;

const LIST_SQL = `
  SELECT ${COLUMNS} ${FROM}
  WHERE ${covered(1)}
    AND ($4::text IS NULL OR e.device_id = $4) AND ($5::text IS NULL OR d.site = $5)
    AND ($6::text IS NULL OR ${STATE_SQL} = $6)
    AND ($7::boolean IS NULL OR (e.acknowledged_at IS NOT NULL) = $7)
    AND ($8::text IS NULL OR coalesce(e.diagnosis, 'none') = $8)
    AND ($9::timestamptz IS NULL OR e.ended_at IS NULL OR e.last_at >= $9::timestamptz)
    AND ($10::timestamptz IS NULL OR e.started_at < $10::timestamptz)
    AND ($11::timestamptz IS NULL OR (e.started_at, e.id) < ($11::timestamptz, $12::bigint))
  ORDER BY e.started_at DESC, e.id DESC LIMIT $13`;

/** Those that began last come first. @throws OperationalError `wrong_usage` for a page that cannot be read */
export async function listEpisodes(
  session: Session,
  filter: EpisodeFilter,
  { limit, after }: EpisodePage,
): Promise<EpisodeList> {
  const { fleet, state = 'all' } = filter;
  const from = after === undefined ? null : readPlace(after);
  const rows = await session.query(LIST_SQL, [
    fleet?.sites ?? null,
    fleet?.ids ?? null,
    fleet?.prefixes ?? null,
    filter.device ?? null,
    filter.site ?? null,
    state === 'all' ? null : state,
    filter.acknowledged ?? null,
    filter.diagnosis ?? null,
    filter.sinceUs === undefined ? null : sqlTimestamp(filter.sinceUs),
    filter.untilUs === undefined ? null : sqlTimestamp(filter.untilUs),
    from?.startedAt ?? null,
    from?.id ?? null,
    limit + 1,
  ]);
  const episodes = rows.slice(0, limit).map(shown);
  const last = episodes.at(-1);
  return {
    as_of: formatTimestamp(Date.now() * 1000),
    episodes,
    next: rows.length > limit && last !== undefined ? `${last.start}~${last.id}` : null,
  };
}

/** One with its evidence and notes; undefined: there is none of this id in the caller's part of the fleet. */
export async function readEpisode(
  session: Session,
  id: number,
  fleet?: DeviceScope,
): Promise<EpisodeDetail | undefined> {
  const [row] = await session.query(`SELECT ${COLUMNS} ${FROM} WHERE e.id = $1 AND ${covered(2)}`, [
    id,
    fleet?.sites ?? null,
    fleet?.ids ?? null,
    fleet?.prefixes ?? null,
  ]);
  if (row === undefined) return undefined;
  const notes = await session.query(
    `SELECT at, actor, text FROM episode_notes WHERE episode_id = $1 ORDER BY id DESC LIMIT ${MOST_NOTES}`,
    [id],
  );
  const diagnosis = row['diagnosis'] as string | null;
  const evidence = row['evidence'] as Partial<EpisodeDetail['episode']['evidence']>;
  const alternatives = row['alternatives'] as { diagnosis: string; confidence: number }[];
  return {
    as_of: formatTimestamp(Date.now() * 1000),
    episode: {
      ...shown(row),
      evidence: { for: evidence.for ?? [], against: evidence.against ?? [], missing: evidence.missing ?? [] },
      alternatives: alternatives.map((other) => ({ ...other, label: labelOf(other.diagnosis) })),
      advice: diagnosis !== null && isCondition(diagnosis) ? CONDITIONS[diagnosis].advice : null,
      detector: row['detector'] as string,
      judged_by: row['judged_by'] as string | null,
      history: notes
        .reverse()
        .map(({ at, actor, text }) => ({ at: sqlInstant(at) ?? '', actor: String(actor), text: String(text) })),
    },
  };
}

/** How many go on that nobody has closed. */
export async function countGoingOn(session: Session): Promise<number> {
  const [row] = await session.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM episodes WHERE ended_at IS NULL AND closed_at IS NULL',
  );
  return row?.count ?? 0;
}

const isCondition = (name: string): name is ConditionName => name in CONDITIONS;
/** The name itself for conditions of a newer version. */
const labelOf = (name: string): string => (isCondition(name) ? CONDITIONS[name].label : name);

function shown(row: Row): EpisodeShown {
  const diagnosis = row['diagnosis'] as string | null;
  return {
    id: Number(row['id']),
    device_id: row['device_id'] as string,
    display_name: row['display_name'] as string | null,
    site: row['site'] as string | null,
    state: row['state'] as EpisodeState,
    start: sqlInstant(row['started_at']) ?? '',
    end: sqlInstant(row['ended_at']),
    last: sqlInstant(row['last_at']) ?? '',
    found: sqlInstant(row['found_at']) ?? '',
    seconds: row['seconds'] as number,
    peak_score: rounded(row['peak_score']),
    peak: sqlInstant(row['peak_at']),
    cause: anomalyCauseName(row['cause'] as number | null) ?? (row['channel'] as string | null),
    anomalous_records: row['anomalous_records'] as number,
    diagnosis,
    diagnosis_label: diagnosis === null ? null : labelOf(diagnosis),
    confidence: rounded(row['confidence']) ?? 0,
    acknowledged_at: sqlInstant(row['acknowledged_at']),
    acknowledged_by: row['acknowledged_by'] as string | null,
    closed_at: sqlInstant(row['closed_at']),
    closed_by: row['closed_by'] as string | null,
    notes: row['notes'] as number,
  };
}

const rounded = (value: unknown): number | null => (typeof value === 'number' ? Math.round(value * 1000) / 1000 : null);

/** `START~ID` of the last episode of a page. */
function readPlace(text: string): { startedAt: string; id: number } {
  const [, startedAt, id] = /^([^~]{20,32})~(\d{1,15})$/.exec(text) ?? [];
  if (startedAt === undefined || Number.isNaN(Date.parse(startedAt)))
    throw new OperationalError('wrong_usage', `"${text}" is no place in the list; give the \`next\` of an answer`);
  return { startedAt, id: Number(id) };
}
