/** An episode that goes on: something is wrong with a device, and perhaps it is known what. */
import type { Config } from '../../config/schema.js';
import type { EpisodeShown } from '../../episodes/episode-schemas.js';
import { listEpisodes } from '../../episodes/read-episodes.js';
import type { Database } from '../../storage/database.js';
import type { AlertCondition, AlertRule } from '../alert.js';
import { ruleTimes } from './rule-times.js';

const PAGE_EPISODES = 1000;

export function episodeOpenRule(database: Database, settings: Config['alerts']['episodeOpen']): AlertRule {
  return {
    name: 'episode_open',
    ...ruleTimes(settings),
    groupBy: ['site'],
    async find() {
      const conditions: AlertCondition[] = [];
      let after: string | undefined;
      do {
        const page = { limit: PAGE_EPISODES, after };
        const { episodes, next } = await listEpisodes(database, { state: 'open' }, page);
        conditions.push(...episodes.map((episode) => conditionOf(episode, settings)));
        after = next ?? undefined;
      } while (after !== undefined);
      return conditions;
    },
  };
}

/**
 * A diagnosis that is another one by now may be graver. Of which somebody knows already, or which is from long ago (imported history ends as it ends), nobody is told anew.
 */
function conditionOf(
  episode: EpisodeShown,
  { leastConfidence, forgetDays, severity, criticalDiagnoses }: Config['alerts']['episodeOpen'],
): AlertCondition {
  const { id, device_id: device, site, diagnosis_label: label, confidence, start, cause } = episode;
  const isOld = Date.now() - Date.parse(episode.last) > forgetDays * 86_400_000;
  const what =
    label === null ? `something is wrong (${cause ?? 'cause unknown'})` : `${label} (${confidence.toFixed(2)})`;
  return {
    labels: { device, site: site ?? '', episode: String(id) },
    summary: `Device ${JSON.stringify(device)}: ${what}, since ${start}.`,
    detail: { diagnosis: episode.diagnosis, confidence, cause },
    severity:
      severity === 'critical' || criticalDiagnoses.some((grave) => grave === episode.diagnosis)
        ? 'critical'
        : 'warning',
    isLingering: isOld || episode.acknowledged_at !== null || confidence < leastConfidence,
  };
}
