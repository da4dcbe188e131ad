/**
 * What the operators do to a well, day by day: stops and starts, frequency steps, choke changes, and when its
 * telemetry is lost.
 *
 * A day of a well (which begins at an hour of its own) is planned from seed and date alone, and ends with hours in
 * which nothing is changed. By then everything that lags behind (drawdown, heat) has settled, so the state at the
 * next day's beginning follows from its settings. Hence any instant can be computed without its past.
 */
import { MICROS_PER_DAY, MICROS_PER_SECOND } from '../../telemetry/timestamp.js';
import { mix32, Random } from './random.js';
import type { WellParameters } from './well-parameters.js';

/** What is set at the surface. */
export interface Settings {
  readonly running: boolean;
  readonly frequencyHz: number;
  /** Pressure loss over the choke as a multiple of the usual one. */
  readonly choke: number;
}

/** A change of the settings and when it is made. */
interface Operation {
  readonly atUs: number;
  readonly settings: Settings;
}

interface Gap {
  readonly fromUs: number;
  readonly toUs: number;
}

export interface DayPlan {
  readonly fromUs: number;
  readonly toUs: number;
  /** Settings with which the day begins: in force for hours. */
  readonly initial: Settings;
  /** In time order. */
  readonly operations: readonly Operation[];
  /** Telemetry is lost: nothing arrives. */
  readonly gaps: readonly Gap[];
}

const HOUR_US = 3600 * MICROS_PER_SECOND;
/** Operations fall into the first hours of the day; ten hours of quiet are more than ten of the longest time constants. */
const OPERATIONS_END_HOURS = 14;
const ENDS_STOPPED = 0.008;
const TRIP = 0.05;
const EXCURSION = 0.35;
const CHOKE_EXCURSION = 0.08;
const GAP = 0.12;

/** The microsecond of the day (UTC) at which this well's days begin. */
export function dayOffsetUs(wellSeed: number): number {
  return (mix32(wellSeed, 0xda7) % 86_400) * MICROS_PER_SECOND;
}

/** Settings at the end of a day, and so at the beginning of the next. */
export function settingsAtEnd(wellSeed: number, well: WellParameters, day: number): Settings {
  // Settings hold for some days, of a length of the well's own.
  const holdDays = 1 + (mix32(wellSeed, 0x401d) % 5);
  const random = new Random(mix32(wellSeed, 0x5e7), Math.floor(day / holdDays));
  const offsetHz = Math.round(random.uniform(-4, 4)) / 2;
  const choke = random.chance(0.3) ? random.uniform(0.8, 1.6) : 1;
  const stopped = new Random(mix32(wellSeed, 0x0ff), day).chance(ENDS_STOPPED);
  return { running: !stopped, frequencyHz: well.baseFrequencyHz + (well.hasDrive ? offsetHz : 0), choke };
}

/** The plan of the well's day that an instant falls into. */
export function planDay(wellSeed: number, well: WellParameters, atUs: number): DayPlan {
  const offsetUs = dayOffsetUs(wellSeed);
  const day = Math.floor((atUs - offsetUs) / MICROS_PER_DAY);
  const fromUs = day * MICROS_PER_DAY + offsetUs;
  const random = new Random(mix32(wellSeed, 0xd1a4), day);
  const initial = settingsAtEnd(wellSeed, well, day - 1);
  const final = settingsAtEnd(wellSeed, well, day);
  return {
    fromUs,
    toUs: fromUs + MICROS_PER_DAY,
    initial,
    operations: planOperations(random, well, fromUs, initial, final),
    gaps: planGaps(random, fromUs),
  };
}

function planOperations(
  random: Random,
  well: WellParameters,
  fromUs: number,
  initial: Settings,
  final: Settings,
): Operation[] {
  const operations: Operation[] = [];
  let settings = initial;
  let atHours = random.uniform(0.2, 2);
  const operate = (change: Partial<Settings>): void => {
    settings = { ...settings, ...change };
    operations.push({ atUs: Math.round(fromUs + atHours * HOUR_US), settings });
  };
  const wait = (leastHours: number, mostHours: number): void => {
    atHours = Math.min(OPERATIONS_END_HOURS, atHours + random.uniform(leastHours, mostHours));
  };

  if (!initial.running && final.running) operate({ running: true });
  wait(0.5, 2);
  if (settings.running && well.hasDrive && random.chance(EXCURSION)) {
    operate({
      frequencyHz: settings.frequencyHz + Math.round(random.uniform(1, 5) * 2) * (random.chance(0.6) ? -0.5 : 0.5),
    });
    wait(0.5, 3);
  }
  if (settings.running && random.chance(CHOKE_EXCURSION)) {
    operate({ choke: settings.choke * random.uniform(1.3, 3) });
    wait(0.2, 1.5);
  }
  if (settings.running && final.running && random.chance(TRIP)) {
    operate({ running: false });
    wait(0.1, 2.5);
    operate({ running: true });
    wait(0.5, 2);
  }
  if (settings.frequencyHz !== final.frequencyHz) {
    operate({ frequencyHz: final.frequencyHz });
    wait(0.1, 1);
  }
  if (settings.choke !== final.choke) {
    operate({ choke: final.choke });
    wait(0.1, 0.5);
  }
  if (settings.running !== final.running) operate({ running: final.running });
  return operations;
}

function planGaps(random: Random, fromUs: number): Gap[] {
  if (!random.chance(GAP)) return [];
  const startUs = Math.round(fromUs + random.uniform(0.1, 22) * HOUR_US);
  return [{ fromUs: startUs, toUs: startUs + Math.round(random.uniform(2, 60) * 60) * MICROS_PER_SECOND }];
}
