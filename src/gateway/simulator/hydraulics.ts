/**
 * Pump against well, by the affinity laws. Rates in bbl/d, pressures in psi, `speed` = frequency / rated frequency.
 *
 * Head of the pump:       H(q, s) = H0·s² − L·(q/Q)²        (the curve at rated speed, moved by q ∝ s and H ∝ s²)
 * What the well asks for: column + separator + (friction + choke)·(q/Q)² − intake pressure
 * Inflow:                 q = J·(static intake − intake)
 * Both sides are quadratic in q without a linear term, so the operating point has a closed form and no iteration.
 */
import type { WellParameters } from './well-parameters.js';

/** Pressure that the pump adds, psi. */
export function pumpHeadPsi(well: WellParameters, rate: number, speed: number): number {
  const relative = rate / well.designRate;
  return well.shutInHeadPsi * speed * speed - well.headLossPsi * relative * relative;
}

/**
 * Rate that the pump delivers at a given intake pressure: 0 while its head does not lift the column.
 * @param choke pressure loss over the choke as a multiple of the usual one (2 = half closed, roughly)
 */
export function deliveredRate(well: WellParameters, speed: number, intakePsi: number, choke: number): number {
  const drive = well.shutInHeadPsi * speed * speed + intakePsi - well.separatorPsi - well.columnPsi;
  if (drive <= 0) return 0;
  return well.designRate * Math.sqrt(drive / resistancePsi(well, choke));
}

/** The intake pressure at which the well gives what the pump takes: where the drawdown settles. */
export function settledIntakePsi(well: WellParameters, speed: number, choke: number): number {
  const drive = well.shutInHeadPsi * speed * speed + well.staticIntakePsi - well.separatorPsi - well.columnPsi;
  if (drive <= 0) return well.staticIntakePsi;
  const perRate = 1 / well.productivityIndex;
  const perRateSquared = resistancePsi(well, choke) / (well.designRate * well.designRate);
  const rate = (Math.sqrt(perRate * perRate + 4 * perRateSquared * drive) - perRate) / (2 * perRateSquared);
  return well.staticIntakePsi - rate * perRate;
}

/** Everything that grows with the square of the rate, at the design rate. */
function resistancePsi(well: WellParameters, choke: number): number {
  return well.headLossPsi + well.frictionPsi + well.chokePsi * choke;
}

/** Wellhead pressure: what is left in front of the choke. */
export function wellheadPsi(well: WellParameters, rate: number, choke: number): number {
  const relative = rate / well.designRate;
  return well.separatorPsi + well.chokePsi * choke * relative * relative;
}

/** How far from its best point the pump works: 1 = design rate at this speed, 0 = closed in. */
export function relativeRate(well: WellParameters, rate: number, speed: number): number {
  return speed > 0 ? rate / (well.designRate * speed) : 0;
}
