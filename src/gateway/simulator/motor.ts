/** What the pump's load does to a two-pole induction motor. `speed` = frequency / rated frequency. */
import { relativeRate } from './hydraulics.js';
import type { WellParameters } from './well-parameters.js';

/** Share of the design power that the pump takes at zero flow: centrifugal stages churn. */
const POWER_AT_ZERO_FLOW = 0.55;
/** Magnetising current as a share of the rated one: what flows at no load. */
const NO_LOAD_CURRENT = 0.35;
const NO_LOAD_SHARE = NO_LOAD_CURRENT * NO_LOAD_CURRENT;
/** How fast the inrush of a start dies away. */
const INRUSH_SECONDS = 7;

/** Torque as a share of the rated torque; power ∝ speed³ (affinity), so torque ∝ speed². */
export function relativeTorque(well: WellParameters, rate: number, speed: number): number {
  const load = POWER_AT_ZERO_FLOW + (1 - POWER_AT_ZERO_FLOW) * relativeRate(well, rate, speed);
  return (well.designPowerHp / well.ratedPowerHp) * speed * speed * load;
}

/** Shaft speed of a two-pole motor: synchronous speed less slip, which grows with torque. */
export function shaftRpm(well: WellParameters, frequencyHz: number, torque: number): number {
  return 60 * frequencyHz * (1 - well.ratedSlip * Math.min(torque, 2));
}

/** Motor current: magnetising and load component at right angles, plus the inrush of a recent start. */
export function motorCurrentA(well: WellParameters, torque: number, secondsSinceStart: number): number {
  const steady = Math.sqrt(NO_LOAD_SHARE + (1 - NO_LOAD_SHARE) * torque * torque);
  const inrush = Math.max(0, well.inrushFactor - steady) * Math.exp(-secondsSinceStart / INRUSH_SECONDS);
  return well.ratedCurrentA * (steady + inrush);
}

/** Voltage at the surface: constant flux (∝ frequency) plus the drop along the cable (∝ current). */
export function surfaceVoltageV(well: WellParameters, speed: number, currentA: number): number {
  return well.ratedVoltageV * (speed + 0.04 * Math.min(currentA / well.ratedCurrentA, 1.5));
}

/** Where the winding's temperature settles above the fluid's: losses ∝ torque², carried off by the flow past the motor. */
export function settledRiseC(well: WellParameters, torque: number, relative: number): number {
  const cooling = 0.55 + 0.45 * Math.min(1, Math.sqrt(relative));
  return (well.temperatureRiseC * (0.2 + 0.8 * torque * torque)) / cooling;
}
