/**
 * Compares like with like: by the affinity laws the flow of a centrifugal pump goes with its speed, its head with the square,
 * its power with the cube. Values are brought to one reference speed before they are compared with the past.
 *
 * A motor at constant volts per hertz draws a current that goes with the torque, the square of the speed.
 */
import { CHANNEL_COUNT, channel } from '../../telemetry/channels.js';

const FREQUENCY = channel('drive_frequency').index;
const SPEED = channel('rpm').index;
const DISCHARGE = channel('discharge_pressure').index;

/** Any speed would do: results are compared with each other only. */
const REFERENCE_HZ = 50;
/** Of a four-pole … two-pole motor the same within its slip, which makes no difference to a comparison: rpm per hertz. */
const RPM_PER_HZ = 58;
/** Below this the laws say nothing: the pump does not lift. */
const LEAST_HZ = 20;

/** Power of the speed that a channel goes with; the head has a rule of its own. */
const EXPONENT = new Uint8Array(CHANNEL_COUNT);
EXPONENT[channel('flow_rate').index] = 1;
EXPONENT[channel('motor_voltage').index] = 1;
EXPONENT[SPEED] = 1;
EXPONENT[channel('motor_current').index] = 2;

/** Where the speed of a device is read from. A drive tells it better than a shaft, and the two differ by the slip. */
export const SpeedSource = { none: 0, shaft: 1, drive: 2 } as const;

/** The best source of the speed that a row has. */
export function speedSource(values: Float32Array, base: number): number {
  if (!Number.isNaN(values[base + FREQUENCY])) return SpeedSource.drive;
  return Number.isNaN(values[base + SPEED]) ? SpeedSource.none : SpeedSource.shaft;
}

/** The speed of a row as a frequency, Hz; NaN where the row does not have it. */
export function speedHz(values: Float32Array, base: number, source: number): number {
  return source === SpeedSource.drive
    ? (values[base + FREQUENCY] as number)
    : (values[base + SPEED] as number) / RPM_PER_HZ;
}

/** Reference speed ÷ speed; 1 where the speed says nothing. */
export function speedRatio(hz: number): number {
  return hz >= LEAST_HZ ? REFERENCE_HZ / hz : 1;
}

/**
 * The value of a channel at reference speed.
 * @param ratio of `speedRatio`
 * @param intake pressure at the intake, psi: what the head stands on; 0 where it is not known
 */
export function atReferenceSpeed(index: number, value: number, ratio: number, intake: number): number {
  const exponent = EXPONENT[index];
  if (exponent === 1) return value * ratio;
  if (exponent === 2) return value * ratio * ratio;
  return index === DISCHARGE ? intake + (value - intake) * ratio * ratio : value;
}
