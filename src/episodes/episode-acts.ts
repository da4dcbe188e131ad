/** What people do to an episode: acknowledge, close, write a note. Each leaves its entry in the audit log. */
import type { DeviceScope } from '../ingest/device-scope.js';
import { audit, type AuditAction } from '../storage/audit-log.js';
import type { Database, Session } from '../storage/database.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { EpisodeDetail } from './episode-schemas.js';
import { readEpisode } from './read-episodes.js';

export type EpisodeAct = 'acknowledge' | 'close' | 'note';

/** Who does what; `fleet` is the part of the fleet that they may touch. */
export interface ActRequest {
  readonly id: number;
  readonly act: EpisodeAct;
  /** With `note` it is the deed itself. */
  readonly note?: string | undefined;
  readonly actor: string;
  readonly fleet?: DeviceScope | undefined;
}

/** An act that was done before stays whose it was: `acknowledged_by` is the first. Closing acknowledges, too. */
const ACTS_SQL: Readonly<Record<EpisodeAct, string | null>> = {
  acknowledge:
    'UPDATE episodes SET acknowledged_at = clock_timestamp(), acknowledged_by = $2 WHERE id = $1 AND acknowledged_at IS NULL',
  close: `UPDATE episodes SET closed_at = clock_timestamp(), closed_by = $2,
      acknowledged_at = coalesce(acknowledged_at, clock_timestamp()), acknowledged_by = coalesce(acknowledged_by, $2)
    WHERE id = $1 AND closed_at IS NULL`,
  note: null,
};

/**
 * Does it, and returns the episode as it is afterwards; undefined when the caller may see none of this id.
 * @throws OperationalError `wrong_usage` for a note without text
 */
export async function actOnEpisode(database: Database, request: ActRequest): Promise<EpisodeDetail | undefined> {
  const { id, act, actor, fleet } = request;
  const note = request.note?.trim();
  if (note === '' || note?.includes('\u0000') === true || (act === 'note' && note === undefined))
    throw new OperationalError('wrong_usage', 'The note is empty, or has characters that are no text.');
  return database.transaction(async (session) => {
    const episode = await readEpisode(session, id, fleet);
    if (episode === undefined) return undefined;
    const sql = ACTS_SQL[act];
    const isDone = sql !== null && (await session.execute(sql, [id, actor])) > 0;
    if (isDone) await log(session, `episode.${act}`, request, episode);
    if (note !== undefined) {
      await session.execute('INSERT INTO episode_notes (episode_id, actor, text) VALUES ($1, $2, $3)', [
        id,
        actor,
        note,
      ]);
      await log(session, 'episode.note', request, episode);
    }
    return readEpisode(session, id, fleet);
  });
}

async function log(
  session: Session,
  action: AuditAction,
  { id, actor }: ActRequest,
  { episode: { device_id: device, start } }: EpisodeDetail,
): Promise<void> {
  await audit(session, { actor, action, target: `episode ${id}`, detail: { device, start } });
}
