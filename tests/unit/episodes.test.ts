/** Anomalous records → alarms → episodes: delay, hysteresis, continuation, and no flood. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AlarmFilter } from '../../src/pipeline/episodes/alarm-filter.js';
import { EPISODE_DEFAULTS, type Episode } from '../../src/pipeline/episodes/episode.js';
import { EpisodeTracker } from '../../src/pipeline/episodes/episode-tracker.js';
import { RuleCause } from '../../src/telemetry/anomaly-cause.js';
import { CHANNEL_COUNT, channel } from '../../src/telemetry/channels.js';
import { OperatingState } from '../../src/telemetry/operating-state.js';
import { ReadingBatch } from '../../src/telemetry/reading-batch.js';

const SECOND_US = 1e6;

/** The episodes of one record a second, anomalous where the list says so. */
function episodesOf(
  anomalous: readonly boolean[],
  state: OperatingState = OperatingState.running,
  cause: number = RuleCause.dischargeBelowIntake,
): Episode[] {
  const batch = new ReadingBatch(anomalous.length);
  const tracker = new EpisodeTracker();
  const episodes: Episode[] = [];
  for (const [at, isAnomaly] of anomalous.entries()) {
    const row = batch.open();
    batch.timestampUs[row] = at * SECOND_US;
    batch.values[row * CHANNEL_COUNT + channel('motor_current').index] = 40 + (at % 2);
    batch.operatingState[row] = state;
    if (isAnomaly) {
      batch.isAnomaly[row] = 1;
      batch.anomalyScore[row] = at / 10;
      batch.anomalyCause[row] = cause;
    }
    const episode = tracker.add(batch, row);
    if (episode !== undefined) episodes.push(episode);
  }
  return [...episodes, ...tracker.finish()];
}

const seconds = (count: number, isAnomaly: boolean): boolean[] => new Array<boolean>(count).fill(isAnomaly);

describe('an episode', () => {
  it('has start, end, peak and cause, and none of the signatures where none fits', () => {
    const episodes = episodesOf([...seconds(100, false), ...seconds(200, true), ...seconds(2000, false)]);
    expect(episodes).toMatchObject([
      {
        startUs: 100 * SECOND_US,
        endUs: 299 * SECOND_US,
        foundUs: 160 * SECOND_US,
        peakUs: 299 * SECOND_US,
        peakScore: expect.closeTo(29.9, 3) as number,
        cause: RuleCause.dischargeBelowIntake,
        isOpen: false,
        ranking: [],
      },
    ]);
  });

  it('does not open for what is over within the delay, however often it comes', () => {
    const flicker = Array.from({ length: 20 }, () => [...seconds(40, true), ...seconds(120, false)]).flat();
    expect(episodesOf(flicker)).toEqual([]);
  });

  it('bridges pauses, and goes on where the next begins soon after', () => {
    const paused = [...seconds(200, true), ...seconds(100, false), ...seconds(200, true)];
    expect(episodesOf([...paused, ...seconds(2000, false)])).toHaveLength(1);
    const soon = [...seconds(200, true), ...seconds(500, false), ...seconds(200, true), ...seconds(2000, false)];
    expect(episodesOf(soon)).toMatchObject([{ startUs: 0, endUs: 899 * SECOND_US }]);
    const later = [...seconds(200, true), ...seconds(1500, false), ...seconds(200, true), ...seconds(2000, false)];
    expect(episodesOf(later)).toHaveLength(2);
  });

  it('is left open where the records end in it', () => {
    expect(episodesOf(seconds(300, true))).toMatchObject([{ isOpen: true, endUs: 299 * SECOND_US }]);
  });

  it('is of rules alone while the pump stands', () => {
    expect(episodesOf(seconds(300, true), OperatingState.off)).toHaveLength(1);
    expect(episodesOf(seconds(300, true), OperatingState.off, channel('temperature').index)).toEqual([]);
    // What shifts without any signature is said only when it does not go back.
    expect(episodesOf(seconds(300, true), OperatingState.running, channel('temperature').index)).toEqual([]);
    expect(episodesOf(seconds(7300, true), OperatingState.running, channel('temperature').index)).toHaveLength(1);
  });

  it('never overlaps another, whatever the records', () => {
    const runs = fc.array(fc.tuple(fc.integer({ min: 1, max: 900 }), fc.boolean()), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(runs, (lengths) => {
        const episodes = episodesOf(lengths.flatMap(([count, isAnomaly]) => seconds(count, isAnomaly)));
        for (const [at, { startUs, endUs, foundUs }] of episodes.entries()) {
          expect(startUs <= endUs && startUs <= foundUs).toBe(true);
          expect(startUs).toBeGreaterThan(episodes[at - 1]?.endUs ?? -1);
        }
      }),
      { numRuns: 25 },
    );
  });
});

describe('an alarm', () => {
  it('needs so many anomalous records at slow sampling', () => {
    const filter = new AlarmFilter(EPISODE_DEFAULTS);
    const states = [0, 1, 2, 3, 4, 5].map((at) => filter.add(at * 60 * SECOND_US, true));
    expect(states).toEqual([false, false, false, false, true, true]);
  });
});
