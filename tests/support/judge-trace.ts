/** A trace through operating states and episodes, as `downhole diagnose` does it. */
import { Recording } from '../../src/commands/recording.js';
import { judgeRecording, type Judgement } from '../../src/commands/judge-recording.js';
import { resolveConfig } from '../../src/config/load-config.js';
import type { Episode } from '../../src/pipeline/episodes/episode.js';
import type { ReadingBatch } from '../../src/telemetry/reading-batch.js';

const { config } = resolveConfig({ file: undefined, environment: {}, overrides: {} });

export function judgeTrace(batch: ReadingBatch): Judgement {
  return judgeRecording(Object.assign(new Recording(), { batch }), config);
}

/** `condition confidence` of each episode, for messages that say what went wrong. */
export function shortly(episodes: readonly { readonly episode: Episode }[]): string[] {
  return episodes.map(
    ({ episode }) =>
      `${
        episode.ranking
          .slice(0, 3)
          .map(({ condition, confidence }) => `${condition} ${confidence}`)
          .join(', ') || 'nothing fits'
      }`,
  );
}
