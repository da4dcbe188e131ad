/**
 * P4: simulated pumps. Thirty days of normal operation, with starts, stops, frequency steps, chokes, soak and gaps: how often is
 * it called an anomaly. And labelled faults of every condition: which are found in time, and named.
 *
 * A record is a false alarm where the detector has flagged it; the episodes of healthy wells are counted beside that. A fault is
 * found by an episode (episode-tracker.ts) over the same evaluator, from a fresh start two hours (for scale two days) before.
 */
import type { LabelledFault } from '../../src/gateway/simulator/faults/fault-plan.js';
import { createFleet, type Fleet } from '../../src/gateway/simulator/fleet.js';
import { createSchedule } from '../../src/gateway/simulator/schedule.js';
import type { Episode } from '../../src/pipeline/episodes/episode.js';
import { EpisodeTracker } from '../../src/pipeline/episodes/episode-tracker.js';
import { CONDITION_NAMES, CONDITIONS, type ConditionName } from '../../src/telemetry/conditions.js';
import { OperatingState } from '../../src/telemetry/operating-state.js';
import { ReadingBatch } from '../../src/telemetry/reading-batch.js';
import { MICROS_PER_DAY } from '../../src/telemetry/timestamp.js';
import type { Subject } from './subjects.js';

export interface ConditionFigures {
  readonly faults: number;
  /** Shares in per cent: found within the natural time, and named first. */
  readonly recall: number;
  readonly diagnosisRight: number;
  /** From onset to the episode, seconds; null where none was found. */
  readonly medianDelaySeconds: number | null;
}

export interface SimulatedPumps {
  /** Per cent of the records of running and transient pumps, of all and of the device at the 90th percentile. */
  readonly far: number;
  readonly farP90: number;
  /** Per cent of the records that were not judged. */
  readonly muted: number;
  readonly recall: number;
  readonly diagnosisRight: number;
  readonly falseEpisodesPerDeviceMonth: number;
  readonly devices: number;
  readonly faults: number;
  readonly conditions: Readonly<Partial<Record<ConditionName, ConditionFigures>>>;
}

const FROM_US = 1_767_225_600e6;
const DAYS = 30;
const HEALTHY = { wells: 16, seed: 11, intervalSeconds: 60 } as const;
/** Of so many of them the episodes are counted too: that is what takes the time. */
const WATCHED_WELLS = 3;
/** Another fleet than the one that the tests look at. */
const FAILING = { wells: 48, seed: 23, faultShare: 1, intervalSeconds: 2 } as const;
const FAULTS_PER_CONDITION = 6;
/** Of normal operation before a fault; a slow one gets two days. */
const BEFORE_HOURS = 2;
const AFTER_HOURS = 0.75;
const HOUR_US = 3600e6;
/** A stuck sensor may show its value so often before it must be found. */
const STUCK_SAMPLES = 120;

export function simulatedPumps(subject: Subject): SimulatedPumps {
  const healthy = judgeHealthy(subject);
  const conditions = judgeFaults(subject);
  const all = Object.values(conditions);
  const faults = all.reduce((sum, figures) => sum + figures.faults, 0);
  const mean = (of: (figures: ConditionFigures) => number): number =>
    round(all.reduce((sum, figures) => sum + of(figures) * figures.faults, 0) / faults);
  return {
    ...healthy,
    recall: mean(({ recall }) => recall),
    diagnosisRight: mean(({ diagnosisRight }) => diagnosisRight),
    faults,
    conditions,
  };
}

type Healthy = Pick<SimulatedPumps, 'far' | 'farP90' | 'muted' | 'falseEpisodesPerDeviceMonth' | 'devices'>;

function judgeHealthy(subject: Subject): Healthy {
  const fleet = createFleet(HEALTHY);
  let alarms = 0;
  let judged = 0;
  let muted = 0;
  let records = 0;
  let episodes = 0;
  const rates: number[] = [];
  for (let index = 0; index < HEALTHY.wells; index++) {
    const batch = recordsOf(fleet, index, HEALTHY.intervalSeconds, FROM_US, FROM_US + DAYS * MICROS_PER_DAY);
    subject().evaluate(batch);
    let own = 0;
    let ownAlarms = 0;
    for (let row = 0; row < batch.length; row++) {
      const state = batch.operatingState[row];
      if (Number.isNaN(batch.anomalyScore[row])) muted++;
      if (state !== OperatingState.running && state !== OperatingState.transient) continue;
      own++;
      ownAlarms += batch.isAnomaly[row] as number;
    }
    records += batch.length;
    alarms += ownAlarms;
    judged += own;
    rates.push((100 * ownAlarms) / Math.max(1, own));
    if (index < WATCHED_WELLS) episodes += episodesOf(batch).length;
  }
  rates.sort((a, b) => a - b);
  return {
    far: round((100 * alarms) / judged),
    farP90: round(rates[Math.ceil(0.9 * rates.length) - 1] as number),
    muted: round((100 * muted) / records),
    falseEpisodesPerDeviceMonth: round(episodes / WATCHED_WELLS),
    devices: HEALTHY.wells,
  };
}

function judgeFaults(subject: Subject): Partial<Record<ConditionName, ConditionFigures>> {
  const fleet = createFleet(FAILING);
  const faults = fleet.faults(FROM_US, FROM_US + DAYS * MICROS_PER_DAY);
  const conditions: Partial<Record<ConditionName, ConditionFigures>> = {};
  for (const condition of CONDITION_NAMES) {
    const some = faults.filter((fault) => fault.condition === condition).slice(0, FAULTS_PER_CONDITION);
    if (some.length > 0) conditions[condition] = figuresOf(some.map((fault) => judgeFault(subject, fleet, fault)));
  }
  return conditions;
}

interface Outcome {
  readonly delaySeconds: number | undefined;
  readonly isInTime: boolean;
  readonly isNamed: boolean;
}

function figuresOf(outcomes: readonly Outcome[]): ConditionFigures {
  const share = (of: (outcome: Outcome) => boolean): number =>
    round((100 * outcomes.filter(of).length) / outcomes.length);
  const delays = outcomes.flatMap(({ delaySeconds }) => delaySeconds ?? []).sort((a, b) => a - b);
  return {
    faults: outcomes.length,
    recall: share(({ isInTime }) => isInTime),
    diagnosisRight: share(({ isNamed }) => isNamed),
    medianDelaySeconds: delays.length === 0 ? null : Math.round(delays[delays.length >> 1] as number),
  };
}

function judgeFault(subject: Subject, fleet: Fleet, fault: LabelledFault): Outcome {
  const isSlow = CONDITIONS[fault.condition].foundWithinSeconds > 86_400;
  const intervalSeconds = isSlow ? 300 : FAILING.intervalSeconds;
  const fromUs = fault.fromUs - (isSlow ? 2 * MICROS_PER_DAY : BEFORE_HOURS * HOUR_US);
  const toUs = isSlow ? fault.toUs : fault.fromUs + AFTER_HOURS * HOUR_US;
  const index = fleet.wells.findIndex(({ deviceId }) => deviceId === fault.deviceId);
  const batch = recordsOf(fleet, index, intervalSeconds, fromUs, toUs);
  subject().evaluate(batch);
  // What began before the fault is a false alarm, not a discovery.
  const episodes = episodesOf(batch).filter(({ foundUs }) => foundUs >= fault.fromUs);
  // In the days of a slow fault other things happen too; it is found by the episode that is about it, if there is one.
  const named = isSlow ? episodes.find(({ ranking }) => ranking[0]?.condition === fault.condition) : undefined;
  const found = named ?? episodes[0];
  if (found === undefined) return { delaySeconds: undefined, isInTime: false, isNamed: false };
  const dueUs =
    fault.condition === 'stuck_sensor'
      ? Math.max(fault.foundByUs, fault.fromUs + STUCK_SAMPLES * intervalSeconds * 1e6)
      : fault.foundByUs;
  return {
    delaySeconds: (found.foundUs - fault.fromUs) / 1e6,
    isInTime: found.foundUs <= dueUs,
    isNamed: found.ranking[0]?.condition === fault.condition,
  };
}

function recordsOf(fleet: Fleet, index: number, intervalSeconds: number, fromUs: number, toUs: number): ReadingBatch {
  const schedule = createSchedule(fleet.wells.length, intervalSeconds);
  const batch = new ReadingBatch(Math.ceil((toUs - fromUs) / schedule.intervalUs) + 1);
  for (let atUs = schedule.next(index, fromUs); atUs < toUs; atUs += schedule.intervalUs) {
    const record = fleet.record(index, atUs);
    if (record === undefined) continue;
    const row = batch.open();
    batch.device[row] = 0;
    batch.deviceId[row] = record.deviceId;
    batch.timestampUs[row] = atUs;
    batch.receivedUs[row] = atUs;
    batch.values.set(record.values, row * record.values.length);
  }
  return batch;
}

function episodesOf(batch: ReadingBatch): Episode[] {
  const tracker = new EpisodeTracker();
  const episodes: Episode[] = [];
  for (let row = 0; row < batch.length; row++) {
    const episode = tracker.add(batch, row);
    if (episode !== undefined) episodes.push(episode);
  }
  return [...episodes, ...tracker.finish()];
}

const round = (value: number): number => Math.round(value * 100) / 100;
