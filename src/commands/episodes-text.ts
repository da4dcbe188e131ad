/** Episodes as text for a terminal. */
import type { EpisodeDetail, EpisodeList, EpisodeShown } from '../episodes/episode-schemas.js';
import { duration } from '../pipeline/diagnosis/expectation.js';
import { textTable } from './text-table.js';

const NONE = '-';

export function episodesText({ episodes }: EpisodeList): string {
  if (episodes.length === 0) return 'No such episode.\n';
  return textTable([
    ['ID', 'DEVICE', 'START', 'LASTED', 'STATE', 'DIAGNOSIS', 'CONFIDENCE', 'CAUSE', 'SEEN BY'],
    ...episodes.map((episode) => [
      String(episode.id),
      episode.device_id,
      episode.start,
      duration(episode.seconds),
      episode.state,
      episode.diagnosis ?? NONE,
      episode.diagnosis === null ? NONE : episode.confidence.toFixed(2),
      episode.cause ?? NONE,
      episode.acknowledged_by ?? NONE,
    ]),
  ]);
}

/** A line a fact: `for` and `against` are the evidence. */
export function episodeText({ episode }: EpisodeDetail): string {
  const { evidence, alternatives, history } = episode;
  const lines = [
    ['episode', `${episode.id} of ${episode.device_id}, ${episode.state}`],
    ['time', timeOf(episode)],
    ['diagnosis', diagnosisOf(episode)],
    ['cause', `${episode.cause ?? 'unknown'}${peakOf(episode)}`],
    ...evidence.for.map((words) => ['for', words]),
    ...evidence.against.map((words) => ['against', words]),
    ...(evidence.missing.length === 0 ? [] : [['untold', evidence.missing.join(', ')]]),
    ...(episode.advice === null ? [] : [['do', episode.advice]]),
    ...alternatives.map(({ label, confidence }) => ['or else', `${label}, confidence ${confidence.toFixed(2)}`]),
    ['judged', `by ${episode.detector}${episode.judged_by === null ? '' : `, ${episode.judged_by}`}`],
    ...(episode.acknowledged_at === null
      ? []
      : [['seen', `${episode.acknowledged_at} by ${episode.acknowledged_by ?? NONE}`]]),
    ...(episode.closed_at === null ? [] : [['closed', `${episode.closed_at} by ${episode.closed_by ?? NONE}`]]),
    ...history.map(({ at, actor, text }) => ['note', `${at} ${actor}: ${text}`]),
  ];
  return textTable(lines);
}

function timeOf({ start, end, seconds, found }: EpisodeShown): string {
  return `${start} … ${end ?? 'going on'} (${duration(seconds)}), found ${found}`;
}

function diagnosisOf({ diagnosis_label: label, confidence }: EpisodeShown): string {
  return label === null ? 'no signature fits' : `${label}, confidence ${confidence.toFixed(2)}`;
}

function peakOf({ peak_score: score, peak, anomalous_records: records }: EpisodeShown): string {
  return `${score === null ? '' : `, peak score ${score} at ${peak ?? NONE}`}, ${records} anomalous records`;
}
