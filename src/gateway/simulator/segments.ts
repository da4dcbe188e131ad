/**
 * A day plan with the state that lags behind the settings: the intake pressure (drawdown and build-up), the
 * winding and the gauge temperature. Between two operations each moves exponentially towards where it settles, so
 * the state at any instant of a segment is one expression.
 */
import { relativeRate, settledIntakePsi, deliveredRate } from './hydraulics.js';
import { relativeTorque, settledRiseC } from './motor.js';
import type { DayPlan, Settings } from './operating-plan.js';
import type { WellParameters } from './well-parameters.js';

/** The slow state of a well. */
export interface LaggingState {
  readonly intakePsi: number;
  /** Winding temperature above the fluid's, °C. */
  readonly motorRiseC: number;
  /** Fluid temperature at the gauge above the reservoir's: the motor warms what flows past it, °C. */
  readonly gaugeRiseC: number;
}

export interface Segment {
  readonly fromUs: number;
  /** The well as it is in this segment: where a fault is at work, a changed copy. */
  readonly well: WellParameters;
  readonly settings: Settings;
  /** Frequency when the segment began; it ramps from here to the setting. */
  readonly fromFrequencyHz: number;
  readonly rampHzPerSecond: number;
  /** When the pump was last started or stopped; −Infinity when that was before this day. */
  readonly switchedUs: number;
  readonly state: LaggingState;
  readonly settled: LaggingState;
}

/** What a drive does while the pump runs; a start takes `rampSeconds`. */
const STEP_HZ_PER_SECOND = 0.5;
const GAUGE_RISE_SHARE = 0.1;

/** Where the slow state settles with these settings. */
function settledState(well: WellParameters, settings: Settings): LaggingState {
  if (!settings.running) return { intakePsi: well.staticIntakePsi, motorRiseC: 0, gaugeRiseC: 0 };
  const speed = settings.frequencyHz / well.ratedFrequencyHz;
  const intakePsi = settledIntakePsi(well, speed, settings.choke);
  const rate = deliveredRate(well, speed, intakePsi, settings.choke);
  const motorRiseC = settledRiseC(well, relativeTorque(well, rate, speed), relativeRate(well, rate, speed));
  return { intakePsi, motorRiseC, gaugeRiseC: motorRiseC * GAUGE_RISE_SHARE };
}

/** Beyond so many time constants what is left is far below any instrument's resolution. */
const SETTLED_AFTER = 25;

function approach(from: number, to: number, seconds: number, timeConstant: number): number {
  return seconds > SETTLED_AFTER * timeConstant ? to : to + (from - to) * Math.exp(-seconds / timeConstant);
}

/** Intake pressure some seconds into a segment, psi. */
export function intakeAt({ well, state, settled }: Segment, seconds: number): number {
  return approach(state.intakePsi, settled.intakePsi, seconds, well.drawdownSeconds);
}

/** The slow state some seconds into a segment. */
export function stateAt(segment: Segment, seconds: number): LaggingState {
  const { well, state, settled } = segment;
  return {
    intakePsi: intakeAt(segment, seconds),
    motorRiseC: approach(state.motorRiseC, settled.motorRiseC, seconds, well.motorHeatingSeconds),
    gaugeRiseC: approach(state.gaugeRiseC, settled.gaugeRiseC, seconds, well.gaugeHeatingSeconds),
  };
}

/** Output frequency some seconds into a segment: 0 when stopped, ramping after a start or a step. */
export function frequencyAt(segment: Segment, seconds: number): number {
  const { settings, fromFrequencyHz: from, rampHzPerSecond } = segment;
  if (!settings.running) return 0;
  const step = rampHzPerSecond * seconds;
  return settings.frequencyHz >= from
    ? Math.min(settings.frequencyHz, from + step)
    : Math.max(settings.frequencyHz, from - step);
}

/** The segments of a day, in time order; the first begins with the day and is settled. */
export function layOutDay(well: WellParameters, plan: DayPlan): Segment[] {
  const settled = settledState(well, plan.initial);
  let segment: Segment = {
    fromUs: plan.fromUs,
    well,
    settings: plan.initial,
    fromFrequencyHz: plan.initial.frequencyHz,
    rampHzPerSecond: STEP_HZ_PER_SECOND,
    switchedUs: -Infinity,
    state: settled,
    settled,
  };
  const segments = [segment];
  for (const { atUs, settings } of plan.operations) {
    const seconds = (atUs - segment.fromUs) / 1e6;
    const switched = settings.running !== segment.settings.running;
    segment = {
      fromUs: atUs,
      well,
      settings,
      fromFrequencyHz: frequencyAt(segment, seconds),
      rampHzPerSecond: switched ? settings.frequencyHz / well.rampSeconds : STEP_HZ_PER_SECOND,
      switchedUs: switched ? atUs : segment.switchedUs,
      state: stateAt(segment, seconds),
      settled: settledState(well, settings),
    };
    segments.push(segment);
  }
  return segments;
}
