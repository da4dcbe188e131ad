/**
 * What makes one simulated well differ from another: a pump, a motor, a reservoir, a completion and its gauges.
 * A plain object on purpose: the model takes it as an argument, so that a fault is a changed copy of it
 * (`{...parameters, frictionPsi: 3 * parameters.frictionPsi}` is a scaled-up tubing).
 *
 * Figures are typical of 400-500 series pumps in wells of 1-3 km; the pump is chosen for the well, as an
 * application engineer would choose it: at rated frequency it delivers the design rate at its best efficiency.
 */
import { type ChannelName } from '../../telemetry/channels.js';
import { Random } from './random.js';

export interface WellParameters {
  // pump, at rated frequency
  /** Design rate = rate of best efficiency, bbl/d. */
  readonly designRate: number;
  readonly stages: number;
  /** Pressure that the whole pump adds at zero flow, psi. */
  readonly shutInHeadPsi: number;
  /** What the head loses at the design rate against zero flow, psi. */
  readonly headLossPsi: number;
  /** Shaft power at the design rate, hp. */
  readonly designPowerHp: number;
  // motor and drive
  readonly ratedFrequencyHz: 50 | 60;
  readonly ratedPowerHp: number;
  readonly ratedCurrentA: number;
  readonly ratedVoltageV: number;
  /** Share of the synchronous speed that is lost at rated torque. */
  readonly ratedSlip: number;
  /** A drive changes frequency and ramps up; a switchboard knows on and off. */
  readonly hasDrive: boolean;
  readonly rampSeconds: number;
  /** Current in the first moment of a start, as a multiple of the rated one; 3 at most. */
  readonly inrushFactor: number;
  /** Winding temperature above the fluid at rated torque and design rate, °C. */
  readonly temperatureRiseC: number;
  readonly baseFrequencyHz: number;
  // well
  /** Pressure at the intake when nothing is produced, psi. */
  readonly staticIntakePsi: number;
  /** Productivity index, bbl/d per psi of drawdown. */
  readonly productivityIndex: number;
  readonly bubblePointPsi: number;
  readonly depthM: number;
  readonly waterCut: number;
  /** Weight of the liquid column from pump to surface, psi. */
  readonly columnPsi: number;
  /** Tubing friction at the design rate, psi. */
  readonly frictionPsi: number;
  readonly separatorPsi: number;
  /** Pressure across the choke at the design rate and its usual opening, psi. */
  readonly chokePsi: number;
  readonly casingPsi: number;
  readonly reservoirTemperatureC: number;
  // time constants, seconds: short against the quiet end of an operating plan's day
  readonly drawdownSeconds: number;
  readonly motorHeatingSeconds: number;
  readonly gaugeHeatingSeconds: number;
  // gauges
  /** The gauge sends a new set of downhole values this often; in between the last one stands. */
  readonly gaugeIntervalSeconds: number;
  readonly leakageMa: number;
  /** Vibration at rated speed and design rate on the three axes, g. */
  readonly vibrationG: readonly [number, number, number];
  readonly channels: readonly ChannelName[];
}

const FEET_PER_METRE = 3.28084;
const PSI_PER_FOOT_OF_WATER = 0.433;
/** bbl/d × psi per hydraulic horsepower. */
const BARREL_PSI_PER_HP = 58_847;
const WATTS_PER_HP = 745.7;

const ALWAYS_INSTALLED: readonly ChannelName[] = [
  'temperature',
  'vibration',
  'pressure',
  'motor_current',
  'rpm',
  'intake_pressure',
  'motor_temperature',
  'drive_frequency',
  'motor_voltage',
];

/** Share of the wells that have the instrument. */
const OFTEN_INSTALLED: readonly (readonly [number, readonly ChannelName[]])[] = [
  [0.75, ['flow_rate']],
  [0.9, ['discharge_pressure']],
  [0.85, ['leakage_current']],
  [0.85, ['casing_pressure']],
  [0.8, ['vibration_y', 'vibration_z']],
];

/** The parameters of one well: a function of its seed. */
export function drawWellParameters(seed: number): WellParameters {
  const random = new Random(seed, 0x77e11);
  const ratedFrequencyHz = random.pick<50 | 60>([50, 60]);
  const well = drawWell(random);
  const pump = drawPump(random, well);
  return {
    ...well,
    ...pump,
    ...drawMotor(random, ratedFrequencyHz, pump.designPowerHp),
    drawdownSeconds: random.uniform(600, 2400),
    motorHeatingSeconds: random.uniform(900, 1800),
    gaugeHeatingSeconds: random.uniform(1500, 2700),
    gaugeIntervalSeconds: random.pick([2, 4, 5, 8, 10]),
    leakageMa: random.uniform(0.05, 0.8),
    vibrationG: [random.uniform(0.05, 0.25), random.uniform(0.05, 0.25), random.uniform(0.03, 0.15)],
    channels: [
      ...ALWAYS_INSTALLED,
      ...OFTEN_INSTALLED.flatMap(([share, channels]) => (random.chance(share) ? channels : [])),
    ],
  };
}

type Well = Pick<
  WellParameters,
  | 'designRate'
  | 'depthM'
  | 'waterCut'
  | 'columnPsi'
  | 'staticIntakePsi'
  | 'productivityIndex'
  | 'bubblePointPsi'
  | 'frictionPsi'
  | 'separatorPsi'
  | 'chokePsi'
  | 'casingPsi'
  | 'reservoirTemperatureC'
>;

function drawWell(random: Random): Well {
  const depthM = random.uniform(1200, 3000);
  const waterCut = random.uniform(0.1, 0.92);
  const specificGravity = 0.85 * (1 - waterCut) + 1.03 * waterCut;
  const columnPsi = depthM * FEET_PER_METRE * PSI_PER_FOOT_OF_WATER * specificGravity;
  const staticIntakePsi = columnPsi * random.uniform(0.42, 0.65);
  const flowingIntakePsi = staticIntakePsi * random.uniform(0.4, 0.65);
  const designRate = random.uniform(600, 6000);
  const wellheadPsi = random.uniform(150, 450);
  const separatorPsi = wellheadPsi * random.uniform(0.5, 0.75);
  return {
    depthM,
    waterCut,
    columnPsi,
    designRate,
    staticIntakePsi,
    productivityIndex: designRate / (staticIntakePsi - flowingIntakePsi),
    bubblePointPsi: flowingIntakePsi * random.uniform(0.4, 0.85),
    frictionPsi: columnPsi * random.uniform(0.03, 0.08),
    separatorPsi,
    chokePsi: wellheadPsi - separatorPsi,
    casingPsi: random.uniform(50, 300),
    reservoirTemperatureC: 15 + depthM * random.uniform(0.024, 0.034),
  };
}

type Pump = Pick<WellParameters, 'stages' | 'shutInHeadPsi' | 'headLossPsi' | 'designPowerHp'>;

/** Head at best efficiency as a share of the head at zero flow. */
const HEAD_AT_BEST_EFFICIENCY = 0.75;
const PUMP_EFFICIENCY = 0.62;

function drawPump(random: Random, well: Well): Pump {
  const flowingIntakePsi = well.staticIntakePsi - well.designRate / well.productivityIndex;
  const headPsi = well.separatorPsi + well.chokePsi + well.columnPsi + well.frictionPsi - flowingIntakePsi;
  const shutInHeadPsi = headPsi / HEAD_AT_BEST_EFFICIENCY;
  return {
    stages: Math.round(headPsi / random.uniform(10, 18)),
    shutInHeadPsi,
    headLossPsi: shutInHeadPsi - headPsi,
    designPowerHp: (well.designRate * headPsi) / (BARREL_PSI_PER_HP * PUMP_EFFICIENCY),
  };
}

const MOTOR_EFFICIENCY = 0.85;
const POWER_FACTOR = 0.83;

function drawMotor(random: Random, ratedFrequencyHz: 50 | 60, designPowerHp: number) {
  const ratedPowerHp = designPowerHp * random.uniform(1.1, 1.35);
  const ratedVoltageV = Math.round(random.uniform(950, 1300) * (ratedPowerHp > 120 ? 2 : 1));
  const hasDrive = random.chance(0.85);
  return {
    ratedFrequencyHz,
    ratedPowerHp,
    ratedVoltageV,
    ratedCurrentA: (ratedPowerHp * WATTS_PER_HP) / (Math.sqrt(3) * ratedVoltageV * POWER_FACTOR * MOTOR_EFFICIENCY),
    ratedSlip: random.uniform(0.022, 0.038),
    hasDrive,
    rampSeconds: hasDrive ? random.uniform(30, 100) : 1.5,
    inrushFactor: hasDrive ? random.uniform(1.2, 1.8) : random.uniform(2.4, 3),
    temperatureRiseC: random.uniform(22, 45),
    baseFrequencyHz: hasDrive ? Math.round(ratedFrequencyHz * random.uniform(0.92, 1.05) * 2) / 2 : ratedFrequencyHz,
  } satisfies Partial<WellParameters>;
}
