/** Telemetry as it comes over a bad line: 5 % of the values missing, 0.1 % of them spikes. Seeded. */
import { CHANNEL_COUNT, CHANNELS } from '../../src/telemetry/channels.js';
import type { ReadingBatch } from '../../src/telemetry/reading-batch.js';
import { copyOf } from './pump-files.js';
import { random } from '../random.js';

const MISSING_SHARE = 0.05;
const SPIKE_SHARE = 0.001;
/** How far a spike is away, in standard deviations of its channel in the recording. */
const SPIKE_DEVIATIONS = 10;

export function spoiled(rows: ReadingBatch, seed: number): ReadingBatch {
  const batch = copyOf(rows);
  const next = random(seed);
  for (const { index, minimum } of CHANNELS) {
    const deviation = deviationOf(rows, index);
    if (Number.isNaN(deviation)) continue; // the recording does not have the channel
    for (let row = 0; row < rows.length; row++) {
      const at = row * CHANNEL_COUNT + index;
      const draw = next();
      if (draw < MISSING_SHARE) batch.values[at] = Number.NaN;
      else if (draw < MISSING_SHARE + SPIKE_SHARE) {
        const away = (next() < 0.5 ? -1 : 1) * SPIKE_DEVIATIONS * deviation;
        batch.values[at] = Math.max(minimum, (batch.values[at] as number) + away);
      }
    }
  }
  return batch;
}

/** Standard deviation of a channel; NaN where it has no values. */
function deviationOf(rows: ReadingBatch, index: number): number {
  let [count, sum, squares] = [0, 0, 0];
  for (let row = 0; row < rows.length; row++) {
    const value = rows.values[row * CHANNEL_COUNT + index] as number;
    if (Number.isNaN(value)) continue;
    count++;
    sum += value;
    squares += value * value;
  }
  return Math.sqrt(Math.max(squares / count - (sum / count) ** 2, 0));
}
