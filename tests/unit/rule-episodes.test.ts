/** What the rules find in a recording, as the episodes of `downhole diagnose` have it. */
import { describe, expect, it } from 'vitest';
import { anomalyCauseName } from '../../src/telemetry/anomaly-cause.js';
import { CHANNEL_COUNT, channel } from '../../src/telemetry/channels.js';
import { handMadeTrace, ONSET_US, type TraceSpec } from '../support/hand-made-trace.js';
import { judgeTrace } from '../support/judge-trace.js';

const fine = { intervalSeconds: 1, beforeSeconds: 900, duringSeconds: 900 } as const;
const episodesOf = (spec: TraceSpec): { cause: string | null; condition: string | undefined }[] =>
  judgeTrace(handMadeTrace(spec)).episodes.map(({ episode }) => ({
    cause: anomalyCauseName(episode.cause < 0 ? null : episode.cause),
    condition: episode.ranking[0]?.condition,
  }));

describe('episodes of rules', () => {
  it('have the stuck channel as their cause', () => {
    expect(episodesOf({ ...fine, course: () => ({ vibration: 'stuck' }) })).toEqual([
      { cause: 'frozen:vibration', condition: 'stuck_sensor' },
    ]);
  });

  it('have the loss of the gauge as their cause, whether it falls silent or shows zeros', () => {
    const gauge = ['temperature', 'vibration', 'intake_pressure', 'discharge_pressure', 'motor_temperature'] as const;
    const course = (multiple: number | undefined) => () =>
      Object.fromEntries(gauge.map((name) => [name, multiple])) as Record<(typeof gauge)[number], number | undefined>;
    expect(episodesOf({ ...fine, course: course(undefined) })).toEqual([
      { cause: 'gauge_loss', condition: 'gauge_loss' },
    ]);
    expect(episodesOf({ ...fine, course: course(0) }).map(({ cause }) => cause)).toEqual(['gauge_loss']);
  });

  it('are none of a few spikes', () => {
    const batch = handMadeTrace({ ...fine, course: () => ({}) });
    for (const row of [300, 500, 800]) batch.values[row * CHANNEL_COUNT + channel('intake_pressure').index] = 6553.5;
    const { episodes, records } = judgeTrace(batch);
    expect(episodes.map(({ episode }) => (episode.startUs - ONSET_US) / 1e6)).toEqual([]);
    expect(records).toBe(1800);
    expect(batch.isAnomaly.reduce((sum, one) => sum + one, 0)).toBe(3);
  });
});
