/**
 * What a fault does to pump, well and motor, some seconds after it began: everything that the channels are made of moves
 * together. What follows at once is as large as the fault is now; what lags behind (drawdown, heat) approaches it, and
 * goes back when the fault is over.
 */
import { wellheadPsi } from '../hydraulics.js';
import type { WellParameters } from '../well-parameters.js';
import type { PlannedFault } from './fault-plan.js';

/** The state of pump and well that the instruments look at. */
export interface PumpState {
  intakePsi: number;
  dischargePsi: number;
  wellheadPsi: number;
  /** At the surface, bbl/d. */
  rate: number;
  /** Share of the rated torque. */
  torque: number;
  /** Winding above the fluid, °C. */
  motorRiseC: number;
  /** Factor on the vibration, and its unsteadiness as a share of it. */
  vibration: number;
  vibrationUnrest: number;
  /** Added to the leakage current, mA. */
  leakageMa: number;
}

/** Where the state was taken: speed = frequency / rated frequency. */
export interface Circumstances {
  readonly speed: number;
  readonly choke: number;
  /** Two numbers of mean 0 and about −1 … 1 that swing within seconds and minutes. */
  readonly unrest: number;
  readonly otherUnrest: number;
}

/** So long after the end heat and drawdown may still show it. */
export const AFTERMATH_US = 6 * 3600e6;

/** Torque of a pump that is not driven: bearings and protector. */
const IDLE_TORQUE = 0.05;
/** Share of the static pressure down to which a pump can draw. */
const PUMPED_OFF_SHARE = 0.08;

interface Progress {
  /** Present size, 0 … severity; 0 when it is over. */
  readonly size: number;
  /** What lags behind by this time constant, seconds. */
  readonly lagging: (timeConstant: number) => number;
}

function progressOf(fault: PlannedFault, timeUs: number): Progress {
  const seconds = (timeUs - fault.fromUs) / 1e6;
  const lasts = (fault.toUs - fault.fromUs) / 1e6;
  const grown = fault.onsetSeconds > 0 ? Math.min(1, seconds / fault.onsetSeconds) : 1;
  return {
    size: seconds < lasts ? fault.severity * grown : 0,
    lagging: (timeConstant) => {
      const reached = 1 - Math.exp(-Math.min(seconds, lasts) / timeConstant);
      return fault.severity * reached * (seconds < lasts ? 1 : Math.exp(-(seconds - lasts) / timeConstant));
    },
  };
}

/** Changes the state of a running pump as the fault does at this time. */
export function applyFault(
  well: WellParameters,
  fault: PlannedFault,
  timeUs: number,
  state: PumpState,
  circumstances: Circumstances,
): void {
  const progress = progressOf(fault, timeUs);
  EFFECTS[fault.condition]?.(well, progress, state, circumstances);
}

type Effect = (well: WellParameters, progress: Progress, state: PumpState, circumstances: Circumstances) => void;

/** The liquid that still stands above the pump hangs on its head; wellhead follows from the rate. */
function reduceRate(well: WellParameters, state: PumpState, factor: number, choke: number): void {
  state.rate *= factor;
  state.wellheadPsi = wellheadPsi(well, state.rate, choke);
}

function riseTowardsStatic(well: WellParameters, state: PumpState, share: number): void {
  const rise = Math.max(0, well.staticIntakePsi - state.intakePsi) * share;
  state.intakePsi += rise;
  state.dischargePsi += rise * 0.2;
}

const EFFECTS: Readonly<Partial<Record<PlannedFault['condition'], Effect>>> = {
  gas_interference: (well, { size, lagging }, state, { choke, unrest, otherUnrest }) => {
    reduceRate(well, state, 1 - size * (0.25 - 0.12 * unrest), choke);
    state.intakePsi *= 1 + 0.06 * size * otherUnrest;
    state.dischargePsi *= 1 - size * (0.03 - 0.02 * unrest);
    state.torque *= 1 - size * (0.16 - 0.1 * unrest);
    state.motorRiseC += 4 * lagging(well.motorHeatingSeconds);
  },
  gas_lock: (well, { size, lagging }, state, { choke, unrest, otherUnrest }) => {
    const locked = Math.min(1, size * 1.8);
    reduceRate(well, state, Math.max(0, 1 - locked * (0.97 - 0.03 * unrest)), choke);
    state.intakePsi *= 1 + 0.08 * locked * otherUnrest;
    state.dischargePsi *= 1 - 0.2 * locked;
    state.torque *= 1 - locked * (0.55 - 0.14 * unrest);
    state.motorRiseC += 25 * lagging(well.motorHeatingSeconds);
  },
  pump_off: (well, { size, lagging }, state, { choke }) => {
    const lowest = PUMPED_OFF_SHARE * well.staticIntakePsi;
    const drawn = size > 0 ? Math.min(1, size * 1.4) : 1.4 * lagging(well.drawdownSeconds) * 0.5;
    const fall = Math.min(1, drawn) * Math.max(0, state.intakePsi - lowest);
    state.intakePsi -= fall;
    const starved = Math.max(0, Math.min(1, (size * 1.4 - 0.6) / 0.4));
    reduceRate(well, state, 1 - 0.55 * starved, choke);
    state.dischargePsi -= 0.25 * fall + 0.03 * starved * state.dischargePsi;
    state.torque *= 1 - 0.35 * starved;
    state.motorRiseC += 6 * starved;
  },
  broken_shaft: (well, { size, lagging }, state, { choke }) => {
    riseTowardsStatic(well, state, Math.min(1, lagging(well.drawdownSeconds) * 1.3));
    if (size === 0) return;
    reduceRate(well, state, 0, choke);
    // The column drains back through the pump.
    const hanging = state.dischargePsi - state.intakePsi;
    state.dischargePsi = state.intakePsi + hanging * (1 - 0.6 * Math.min(1, 0.25 + lagging(600)));
    state.torque = IDLE_TORQUE;
    state.motorRiseC *= 0.5;
    state.vibration *= 0.5;
  },
  deadhead: (well, { size, lagging }, state, { speed }) => {
    riseTowardsStatic(well, state, 0.9 * Math.min(1, lagging(well.drawdownSeconds)));
    if (size === 0) return;
    const closed = Math.min(1, size * 2);
    state.rate *= Math.max(0, 1 - closed);
    const shutIn = state.intakePsi + well.shutInHeadPsi * speed * speed;
    const shutInWellhead = Math.max(state.wellheadPsi, shutIn - well.columnPsi);
    state.dischargePsi += closed * (Math.max(shutIn, state.dischargePsi) - state.dischargePsi);
    state.wellheadPsi += closed * (shutInWellhead - state.wellheadPsi);
    state.torque *= 1 - 0.45 * closed;
    state.motorRiseC += 18 * lagging(well.motorHeatingSeconds);
  },
  tubing_leak: (well, { size, lagging }, state, { choke }) => {
    riseTowardsStatic(well, state, 0.5 * lagging(well.drawdownSeconds / 4));
    reduceRate(well, state, 1 - 0.45 * size, choke);
    state.dischargePsi *= 1 - 0.12 * size;
    state.torque *= 1 + 0.02 * size;
  },
  scale: (well, { size }, state, { choke }) => {
    reduceRate(well, state, 1 - 0.3 * size, choke);
    state.dischargePsi *= 1 - 0.05 * size;
    riseTowardsStatic(well, state, 0.12 * size);
    state.torque *= 1 + 0.14 * size;
    state.motorRiseC += 8 * size;
  },
  sand: (_well, { size, lagging }, state, { unrest }) => {
    state.vibration *= 1 + 2 * size;
    state.vibrationUnrest += 0.25 * size;
    state.torque *= 1 + size * (0.3 + 0.1 * unrest);
    state.motorRiseC += 4 * lagging(900);
  },
  overload: (well, { size, lagging }, state) => {
    state.torque *= 1 + 0.5 * size;
    state.motorRiseC += 14 * lagging(well.motorHeatingSeconds);
  },
  electrical: (_well, { size }, state) => {
    state.leakageMa += 6 * size;
  },
};
