/** Every condition by hand-made traces: found, and named first. None of them comes from the simulator. */
import { describe, expect, it } from 'vitest';
import { CONDITIONS, type ConditionName } from '../../src/telemetry/conditions.js';
import { HAND_MADE_FAULTS } from '../support/hand-made-faults.js';
import { handMadeTrace, ONSET_US } from '../support/hand-made-trace.js';
import { judgeTrace, shortly } from '../support/judge-trace.js';

describe.each(Object.keys(HAND_MADE_FAULTS) as ConditionName[])('%s', (condition) => {
  it.each(HAND_MADE_FAULTS[condition])('$name', (fault) => {
    const { episodes } = judgeTrace(handMadeTrace(fault));
    expect(shortly(episodes)).toEqual([expect.stringMatching(`^${condition} `)]);
    const due = Math.max(
      CONDITIONS[condition].foundWithinSeconds,
      fault.foundWithinSeconds ?? 0,
      12 * fault.intervalSeconds,
    );
    for (const { episode } of episodes) expect((episode.foundUs - ONSET_US) / 1e6).toBeLessThanOrEqual(due);
  });
});
