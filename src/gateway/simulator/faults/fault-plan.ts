/**
 * Which faults a well has, and when: a function of seed and date, like everything the simulator does. Time is divided
 * into slots of six days; a slot has one fault at most, which ends within it, so that an instant needs its own slot only.
 *
 * Faults begin in the hours of a day in which nothing is operated, and a well that is stopped by then has none: what is labelled
 * can be seen.
 */
import { type ChannelName } from '../../../telemetry/channels.js';
import { CONDITION_NAMES, CONDITIONS, type ConditionName } from '../../../telemetry/conditions.js';
import { MICROS_PER_DAY } from '../../../telemetry/timestamp.js';
import { dayOffsetUs, settingsAtEnd } from '../operating-plan.js';
import { mix32, Random } from '../random.js';
import type { WellParameters } from '../well-parameters.js';

export interface PlannedFault {
  readonly condition: ConditionName;
  /** Epoch microseconds; gone again at `toUs`. */
  readonly fromUs: number;
  readonly toUs: number;
  /** 0.5 (to be seen) … 1 (severe). */
  readonly severity: number;
  /** From nothing to its full size; 0 = a step. */
  readonly onsetSeconds: number;
  /** Of a sensor that is stuck; of a gauge, whether it freezes or falls silent. */
  readonly channel: ChannelName | undefined;
  readonly isSilent: boolean;
}

/** What was done to a well, as labels for whoever judges a detector. */
export interface LabelledFault extends Pick<PlannedFault, 'condition' | 'fromUs' | 'toUs' | 'severity'> {
  readonly deviceId: string;
  /** By when it must have been found. */
  readonly foundByUs: number;
}

const SLOT_DAYS = 6;
const HOUR_US = 3600e6;
/** Hours of a well's day between which a fault begins: after the last operation, with its drawdown. */
const EARLIEST_HOUR = 17;
const LATEST_HOUR = 19;
const SCALE_DAYS = 4.6;

/** Seconds to full size, least and most; what is not listed is a step. */
const ONSET_SECONDS: Readonly<Partial<Record<ConditionName, readonly [number, number]>>> = {
  gas_interference: [60, 300],
  gas_lock: [10, 30],
  pump_off: [400, 1000],
  deadhead: [5, 20],
  tubing_leak: [30, 300],
  scale: [SCALE_DAYS * 86_400, SCALE_DAYS * 86_400],
  sand: [20, 120],
  overload: [10, 90],
  electrical: [120, 400],
};
const MAY_STICK: readonly [ChannelName, ...ChannelName[]] = ['vibration', 'motor_current', 'motor_voltage'];

/** @param share of the slots that have a fault, 0 … 1 */
export function planFault(
  wellSeed: number,
  well: WellParameters,
  atUs: number,
  share: number,
): PlannedFault | undefined {
  const offsetUs = dayOffsetUs(wellSeed);
  const slot = Math.floor((atUs - offsetUs) / MICROS_PER_DAY / SLOT_DAYS);
  const random = new Random(mix32(wellSeed, 0xfa17), slot);
  if (!random.chance(share)) return undefined;
  // Every condition as often as the others: wells and slots take turns.
  const turn = mix32(wellSeed, 0x7a2e) + slot;
  const condition = CONDITION_NAMES[turn % CONDITION_NAMES.length] as ConditionName;
  const severity = Math.round(random.uniform(0.5, 1) * 100) / 100;
  const isSlow = condition === 'scale';
  const day = slot * SLOT_DAYS + (isSlow ? 0 : random.word() % (SLOT_DAYS - 1));
  if (!isSlow && !settingsAtEnd(wellSeed, well, day).running) return undefined;
  const hour = random.uniform(EARLIEST_HOUR, LATEST_HOUR);
  const fromUs = Math.round((day * MICROS_PER_DAY + offsetUs + hour * HOUR_US) / 1e6) * 1e6;
  const [least, most] = ONSET_SECONDS[condition] ?? [0, 0];
  const lastsUs = isSlow ? SCALE_DAYS * MICROS_PER_DAY : Math.round(random.uniform(2, 4.5) * 3600) * 1e6;
  return {
    condition,
    fromUs,
    toUs: fromUs + lastsUs,
    severity,
    onsetSeconds: random.uniform(least, most),
    channel: condition === 'stuck_sensor' ? random.pick(MAY_STICK) : undefined,
    isSilent: random.chance(0.5),
  };
}

/** The faults of a well that begin with from ≤ time < to, in time order. */
export function faultsBetween(
  wellSeed: number,
  well: WellParameters,
  share: number,
  fromUs: number,
  toUs: number,
): PlannedFault[] {
  const faults: PlannedFault[] = [];
  const slotUs = SLOT_DAYS * MICROS_PER_DAY;
  for (let atUs = fromUs; atUs < toUs + slotUs; atUs += slotUs) {
    const fault = planFault(wellSeed, well, atUs, share);
    if (fault !== undefined && fault.fromUs >= fromUs && fault.fromUs < toUs) faults.push(fault);
  }
  return faults;
}

/** What a fault is labelled as. */
export function labelOf(deviceId: string, { condition, fromUs, toUs, severity }: PlannedFault): LabelledFault {
  return {
    deviceId,
    condition,
    fromUs,
    toUs,
    severity,
    foundByUs: fromUs + CONDITIONS[condition].foundWithinSeconds * 1e6,
  };
}

/** Share of the six-day slots of a well that have a fault, by the configuration's word. */
export const FAULT_SHARES = { none: 0, some: 0.25, many: 1 } as const;
