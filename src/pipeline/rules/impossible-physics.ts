/** What no pump does: then an instrument is wrong, or two of them have changed places. No state. */
import { RuleCause } from '../../telemetry/anomaly-cause.js';
import { channel } from '../../telemetry/channels.js';
import { OperatingState } from '../../telemetry/operating-state.js';

const CURRENT = channel('motor_current').index;
const INTAKE = channel('intake_pressure').index;
const DISCHARGE = channel('discharge_pressure').index;
const FREQUENCY = channel('drive_frequency').index;

/** Two gauges may differ by so much, psi. */
const GAUGE_TOLERANCE_PSI = 25;
/** Below this a drive stands. */
const STANDING_HZ = 0.5;
/** What a current transformer shows of a motor that is off, A. */
const RESIDUAL_CURRENT_A = 5;

/**
 * Looks at the values from `base` on. A pump that starts has not built up its head yet, and one that was stopped has none.
 * @returns the rule that they break, or −1
 */
export function brokenPhysics(values: Float32Array, base: number, state: OperatingState): RuleCause | -1 {
  // Comparisons with NaN are false: what is not measured breaks nothing.
  if ((values[base + FREQUENCY] as number) < STANDING_HZ && (values[base + CURRENT] as number) > RESIDUAL_CURRENT_A)
    return RuleCause.currentWithoutFrequency;
  const isBelow = (values[base + DISCHARGE] as number) < (values[base + INTAKE] as number) - GAUGE_TOLERANCE_PSI;
  return isBelow && state === OperatingState.running ? RuleCause.dischargeBelowIntake : -1;
}
