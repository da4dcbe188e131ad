/**
 * Units of measurement and their linear conversion to the canonical unit of their quantity.
 *
 * canonical = value × factor + offset. Every unit belongs to exactly one quantity, so that a value of another
 * dimension (a velocity where an acceleration is expected) is refused and never converted.
 * Factors are exact where the unit is defined exactly (NIST SP 811, appendix B).
 */

/** A unit that a channel accepts: canonical = value × factor + offset. */
export interface Unit {
  readonly factor: number;
  readonly offset: number;
}

const PSI_PER_BAR = 14.503773773020923;
/** One standard atmosphere in psi: what separates an absolute pressure from a gauge pressure. */
const STANDARD_ATMOSPHERE_PSI = 14.695948775513;
/** One barrel is 42 US gallons, 0.158987294928 m³. */
const BARRELS_PER_CUBIC_METRE = 1 / 0.158987294928;
const MINUTES_PER_DAY = 1440;
const STANDARD_GRAVITY = 9.80665;

const scale = (factor: number, offset = 0): Unit => ({ factor, offset });

/** Accepted spellings of the units of each quantity; the first is the canonical one. */
export const QUANTITIES = {
  temperature: {
    C: scale(1),
    F: scale(5 / 9, -160 / 9),
    K: scale(1, -273.15),
    degC: scale(1),
    '°C': scale(1),
    '°F': scale(5 / 9, -160 / 9),
  },
  acceleration: { g: scale(1), 'm/s2': scale(1 / STANDARD_GRAVITY), 'm/s²': scale(1 / STANDARD_GRAVITY) },
  pressure: {
    psi: scale(1),
    psig: scale(1),
    bar: scale(PSI_PER_BAR),
    barg: scale(PSI_PER_BAR),
    kPa: scale(PSI_PER_BAR / 100),
    MPa: scale(PSI_PER_BAR * 10),
    'kg/cm2': scale(PSI_PER_BAR * 0.980665),
    'kg/cm²': scale(PSI_PER_BAR * 0.980665),
    psia: scale(1, -STANDARD_ATMOSPHERE_PSI),
    bara: scale(PSI_PER_BAR, -STANDARD_ATMOSPHERE_PSI),
  },
  liquidRate: {
    'bbl/d': scale(1),
    bpd: scale(1),
    'm3/d': scale(BARRELS_PER_CUBIC_METRE),
    'm³/d': scale(BARRELS_PER_CUBIC_METRE),
    'm3/h': scale(BARRELS_PER_CUBIC_METRE * 24),
    'm³/h': scale(BARRELS_PER_CUBIC_METRE * 24),
    'l/min': scale((BARRELS_PER_CUBIC_METRE * MINUTES_PER_DAY) / 1000),
    'l/s': scale((BARRELS_PER_CUBIC_METRE * MINUTES_PER_DAY * 60) / 1000),
    gpm: scale(MINUTES_PER_DAY / 42),
  },
  current: { A: scale(1), mA: scale(1e-3) },
  leakage: { mA: scale(1), A: scale(1e3), uA: scale(1e-3), µA: scale(1e-3) },
  rotation: { rpm: scale(1), 'rev/min': scale(1), '1/min': scale(1) },
  frequency: { Hz: scale(1) },
  voltage: { V: scale(1), kV: scale(1e3) },
} as const satisfies Record<string, Record<string, Unit>>;

export type Quantity = keyof typeof QUANTITIES;

/** The accepted unit spellings of a quantity, canonical first. */
export function unitNames(quantity: Quantity): string[] {
  return Object.keys(QUANTITIES[quantity]);
}

/** The unit of this spelling (case matters: `mA` is not `MA`), or undefined when the quantity has no such unit. */
export function findUnit(quantity: Quantity, name: string): Unit | undefined {
  const units: Record<string, Unit> = QUANTITIES[quantity];
  return Object.hasOwn(units, name) ? units[name] : undefined;
}
