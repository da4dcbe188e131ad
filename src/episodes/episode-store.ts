/** Episodes as the job writes them, and how far it has come. */
import { bestOf } from '../pipeline/diagnosis/diagnose.js';
import type { Episode } from '../pipeline/episodes/episode.js';
import type { Session } from '../storage/database.js';
import type { ConditionName } from '../telemetry/conditions.js';
import { sqlTimestamp } from '../telemetry/timestamp.js';
import type { KnownEpisode } from './device-episodes.js';

/** An episode with its key; times are epoch microseconds. */
export interface EpisodeToStore {
  readonly deviceId: string;
  readonly startUs: number;
  readonly episode: Episode;
}

/** An episode that began or ended with this write. */
export interface EpisodeTurn {
  readonly id: number;
  readonly deviceId: string;
  readonly diagnosis: ConditionName | null;
  readonly confidence: number;
  readonly turn: 'opened' | 'ended';
}

/** Stored with each episode, so that a reader knows what judged it. */
export interface Judge {
  /** That judged its records. */
  readonly detector: string;
  /** Version of rules, signatures and parameters (pipeline/judgement-version.ts). */
  readonly judgedBy: string;
}

/** Confidence below which an alternative is not worth a line. */
const WORTH_SAYING = 0.15;
const MOST_ALTERNATIVES = 3;

// What was seen of it can only become more: a tracker that started anew has seen a part of it.
const STORE_SQL = `
  WITH incoming AS (
    SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::boolean[], $6::real[], $7::timestamptz[],
      $8::smallint[], $9::int[], $10::text[], $11::real[], $12::text[], $13::text[], $14::text[])
      AS e (device_id, started_at, found_at, last_at, is_open, peak_score, peak_at, cause, anomalous_records, diagnosis, confidence,
        channel, evidence, alternatives)
  ), before AS (
    SELECT e.device_id, e.started_at, e.ended_at FROM episodes e JOIN incoming USING (device_id, started_at)
  ), written AS (
    INSERT INTO episodes AS e (device_id, started_at, found_at, last_at, ended_at, peak_score, peak_at, cause, anomalous_records,
      diagnosis, confidence, channel, evidence, alternatives, detector, judged_by)
    SELECT device_id, started_at, found_at, greatest(last_at, started_at),
      CASE WHEN NOT is_open THEN greatest(last_at, started_at) END, peak_score, peak_at, cause, anomalous_records, diagnosis,
      confidence, channel, evidence::jsonb, alternatives::jsonb, $15, $16
    FROM incoming
    ON CONFLICT (device_id, started_at) DO UPDATE SET
      last_at = greatest(e.last_at, excluded.last_at),
      ended_at = CASE WHEN excluded.ended_at IS NOT NULL THEN greatest(e.last_at, excluded.ended_at) END,
      peak_at = CASE WHEN e.peak_score >= excluded.peak_score OR excluded.peak_score IS NULL THEN e.peak_at ELSE excluded.peak_at END,
      peak_score = greatest(e.peak_score, excluded.peak_score),
      cause = coalesce(excluded.cause, e.cause),
      anomalous_records = greatest(e.anomalous_records, excluded.anomalous_records),
      diagnosis = excluded.diagnosis, confidence = excluded.confidence, channel = excluded.channel,
      evidence = excluded.evidence, alternatives = excluded.alternatives, detector = excluded.detector,
      judged_by = excluded.judged_by
    RETURNING id, device_id, started_at, ended_at, diagnosis, confidence
  )
  SELECT w.id, w.device_id, w.diagnosis, w.confidence, w.ended_at IS NULL AS is_open, b.device_id IS NULL AS is_new,
    b.device_id IS NOT NULL AND b.ended_at IS NULL AS was_open
  FROM written w LEFT JOIN before b USING (device_id, started_at)`;

interface WrittenRow extends Record<string, unknown> {
  readonly id: number;
  readonly device_id: string;
  readonly diagnosis: ConditionName | null;
  readonly confidence: number;
  readonly is_open: boolean;
  readonly is_new: boolean;
  readonly was_open: boolean;
}

/** Stores what has changed; the same again changes nothing. @returns what has begun and what has ended with it */
export async function storeEpisodes(
  session: Session,
  episodes: readonly EpisodeToStore[],
  { detector, judgedBy }: Judge,
): Promise<EpisodeTurn[]> {
  if (episodes.length === 0) return [];
  const rows = episodes.map(columnsOf);
  const columns = Array.from({ length: 14 }, (_, column) => rows.map((row) => row[column] as ColumnValue));
  const written = await session.query<WrittenRow>(STORE_SQL, [...columns, detector, judgedBy]);
  return written.flatMap(({ id, device_id: deviceId, diagnosis, confidence, ...is }) => {
    const turn = { id, deviceId, diagnosis, confidence };
    return [
      ...(is.is_new ? [{ ...turn, turn: 'opened' as const }] : []),
      ...(!is.is_open && (is.is_new || is.was_open) ? [{ ...turn, turn: 'ended' as const }] : []),
    ];
  });
}

type ColumnValue = string | number | boolean | null;

function columnsOf({ deviceId, startUs, episode }: EpisodeToStore): ColumnValue[] {
  const best = bestOf(episode.ranking);
  const others = episode.ranking.filter((diagnosis) => diagnosis !== best && diagnosis.confidence >= WORTH_SAYING);
  const hasPeak = Number.isFinite(episode.peakScore);
  return [
    deviceId,
    sqlTimestamp(startUs),
    sqlTimestamp(episode.foundUs),
    sqlTimestamp(episode.endUs),
    episode.isOpen,
    hasPeak ? episode.peakScore : null,
    hasPeak ? sqlTimestamp(episode.peakUs) : null,
    episode.cause < 0 ? null : episode.cause,
    episode.anomalousRecords,
    best?.condition ?? null,
    best?.confidence ?? 0,
    best?.channel ?? null,
    JSON.stringify(best?.evidence ?? {}),
    JSON.stringify(
      others.slice(0, MOST_ALTERNATIVES).map(({ condition, confidence }) => ({ diagnosis: condition, confidence })),
    ),
  ];
}

/** Ends what cannot be seen any more, at the moment at which it was last seen. */
export async function endLapsed(
  session: Session,
  lapsed: readonly { readonly deviceId: string; readonly startUs: number }[],
): Promise<EpisodeTurn[]> {
  if (lapsed.length === 0) return [];
  const rows = await session.query<WrittenRow>(
    `UPDATE episodes e SET ended_at = e.last_at FROM unnest($1::text[], $2::timestamptz[]) AS lapsed (device_id, started_at)
     WHERE e.device_id = lapsed.device_id AND e.started_at = lapsed.started_at AND e.ended_at IS NULL
     RETURNING e.id, e.device_id, e.diagnosis, e.confidence`,
    [lapsed.map(({ deviceId }) => deviceId), lapsed.map(({ startUs }) => sqlTimestamp(startUs))],
  );
  return rows.map(({ id, device_id: deviceId, diagnosis, confidence }) => ({
    id,
    deviceId,
    diagnosis,
    confidence,
    turn: 'ended',
  }));
}

/** Notes how far devices have been looked through. @param reached device id → epoch microseconds */
export async function storeWatermarks(session: Session, reached: ReadonlyMap<string, number>): Promise<void> {
  await session.execute(
    `INSERT INTO episode_watermarks (device_id, reached) SELECT * FROM unnest($1::text[], $2::timestamptz[])
     ON CONFLICT (device_id) DO UPDATE SET reached = excluded.reached`,
    [[...reached.keys()], [...reached.values()].map((micros) => sqlTimestamp(micros))],
  );
}

interface KnownRow extends Record<string, unknown> {
  readonly device_id: string;
  readonly start_us: number;
  readonly last_us: number;
  readonly is_open: boolean;
}

const KNOWN_EPISODES = 3;

/** The last episodes of some devices, newest first. */
export async function readKnownEpisodes(
  session: Session,
  deviceIds: readonly string[],
): Promise<Map<string, KnownEpisode[]>> {
  const rows = await session.query<KnownRow>(
    `SELECT e.* FROM unnest($1::text[]) AS wanted (device_id)
     CROSS JOIN LATERAL (
       SELECT device_id, (extract(epoch FROM started_at) * 1000000)::bigint AS start_us,
         (extract(epoch FROM last_at) * 1000000)::bigint AS last_us, ended_at IS NULL AS is_open
       FROM episodes WHERE episodes.device_id = wanted.device_id ORDER BY started_at DESC LIMIT ${KNOWN_EPISODES}
     ) e`,
    [deviceIds],
  );
  const known = new Map<string, KnownEpisode[]>();
  for (const { device_id: deviceId, start_us: startUs, last_us: lastUs, is_open: isOpen } of rows) {
    const episode = { startUs: Number(startUs), lastUs: Number(lastUs), isOpen };
    known.set(deviceId, [...(known.get(deviceId) ?? []), episode]);
  }
  return known;
}
