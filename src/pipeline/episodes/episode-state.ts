/** An episode that is going on, or may be continued, in the saved state of its tracker. */
import type { Diagnosis } from '../diagnosis/diagnose.js';
import type { StateReader, StateWriter } from '../state-bytes.js';
import type { Episode } from './episode.js';

const NONE = 0;
const THERE = 1;

export function writeEpisodeState(writer: StateWriter, episode: Episode | undefined): void {
  writer.count(episode === undefined ? NONE : THERE);
  if (episode === undefined) return;
  const { startUs, endUs, foundUs, peakScore, peakUs, cause, anomalousRecords, isOpen, ranking } = episode;
  writer.numbers([startUs, endUs, foundUs, peakScore, peakUs, cause, anomalousRecords, isOpen ? 1 : 0]);
  writer.json(ranking);
}

/** @throws StateMismatch */
export function readEpisodeState(reader: StateReader): Episode | undefined {
  if (reader.count() === NONE) return undefined;
  const saved = reader.numbers(8) as unknown as [number, number, number, number, number, number, number, number];
  const [startUs, endUs, foundUs, peakScore, peakUs, cause, anomalousRecords, isOpen] = saved;
  const ranking = reader.json() as readonly Diagnosis[];
  return { startUs, endUs, foundUs, peakScore, peakUs, cause, anomalousRecords, ranking, isOpen: isOpen === 1 };
}
