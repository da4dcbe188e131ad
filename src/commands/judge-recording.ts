/** A recording through operating states, rules and detector, and on to episodes with their diagnoses. */
import type { Config } from '../config/schema.js';
import { ZScoreDetector } from '../pipeline/detection/z-score-detector.js';
import { DeviceTable } from '../pipeline/device-table.js';
import type { Episode } from '../pipeline/episodes/episode.js';
import { EpisodeTracker } from '../pipeline/episodes/episode-tracker.js';
import { Evaluator } from '../pipeline/evaluator.js';
import { TemperatureBaseline } from '../pipeline/quality/temperature-baseline.js';
import type { ReadingBatch } from '../telemetry/reading-batch.js';
import { mergeRepeats } from './merge-repeats.js';
import type { Recording } from './recording.js';
import { recordingNotes } from './recording-notes.js';

export interface Judgement {
  readonly episodes: readonly { readonly deviceId: string; readonly episode: Episode }[];
  readonly records: number;
  readonly rejected: number;
  readonly devices: number;
  /** What whoever has made the recording should know: what was refused or merged, and what could not be judged. */
  readonly notes: readonly string[];
}

/**
 * Judges it with the rules, the z-score and the default profile of a well. The level shifts that the pipeline finds are left out: a
 * change of the choke is one, and the signatures are tested without.
 */
export function judgeRecording(recording: Recording, config: Config): Judgement {
  const { batch, rejected } = recording;
  const devices = new DeviceTable({
    maxDevices: Number.POSITIVE_INFINITY,
    expectedChannels: config.quality.expectedChannels,
  });
  for (let row = 0; row < batch.length; row++) batch.device[row] = devices.add(batch.deviceId[row] as string) as number;
  const baseline = new TemperatureBaseline({
    timeConstantHours: config.detection.baselineHours,
    warmUpRecords: config.detection.warmUpRecords,
  });
  const detector = new ZScoreDetector(baseline, config.detection);
  const evaluator = new Evaluator({ devices, baseline, detector, timelySeconds: Number.POSITIVE_INFINITY });
  evaluator.reserve();
  const trackers = devices.ids.map(() => new EpisodeTracker());
  const episodes: { deviceId: string; episode: Episode }[] = [];
  const merged = mergeRepeats(batch, inTimeOrder(batch));
  const notes = recordingNotes(recording, merged, devices.size);
  for (const row of merged.rows) {
    const device = batch.device[row] as number;
    evaluator.evaluate(batch, row, row + 1);
    const episode = trackers[device]?.add(batch, row);
    if (episode !== undefined) episodes.push({ deviceId: devices.ids[device] as string, episode });
  }
  for (const [device, tracker] of trackers.entries())
    for (const episode of tracker.finish()) episodes.push({ deviceId: devices.ids[device] as string, episode });
  episodes.sort((a, b) => a.deviceId.localeCompare(b.deviceId) || a.episode.startUs - b.episode.startUs);
  return { episodes, records: merged.rows.length, rejected, devices: devices.size, notes };
}

/** The rows by time: historians export the newest first, or a channel after the other. */
function inTimeOrder({ timestampUs, length }: ReadingBatch): Uint32Array {
  const rows = Uint32Array.from({ length }, (_, row) => row);
  return rows.sort((a, b) => (timestampUs[a] as number) - (timestampUs[b] as number) || a - b);
}
