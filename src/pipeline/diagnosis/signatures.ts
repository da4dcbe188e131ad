/**
 * The signatures: for each condition what it does to the channels, as production engineers know it. A condition is an
 * entry here and a name in telemetry/conditions.ts. Figures are typical and lean on directions, not on sizes.
 * Source: gauge and drive manuals, SPE-196127, training material for ESPs.
 */
import type { ConditionName } from '../../telemetry/conditions.js';
import type { Sight } from './expectation.js';

export interface Expectation {
  readonly sight: Sight;
  readonly weight: number;
}

export interface Signature {
  readonly expects: readonly Expectation[];
  /** Of each group at least one must be seen: without them it is something else, whatever the rest says. */
  readonly needs: readonly (readonly Sight[])[];
  /** Only what has been watched for hours and days can show it. */
  readonly isSlow?: boolean;
}

const expects = (weight: number, sight: Sight): Expectation => ({ sight, weight });

const HOUR = 3600;
const currentFalls: Sight = { sees: 'falls', channel: 'motor_current', slight: 0.06, clear: 0.25 };
const currentUnrest: Sight = { sees: 'unrest', channel: 'motor_current' };
const intakeFallsFar: Sight = { sees: 'falls', channel: 'intake_pressure', slight: 0.05, clear: 0.2, absence: 1 };
const intakeUnrest: Sight = { sees: 'unrest', channel: 'intake_pressure' };
const flowUnrest: Sight = { sees: 'unrest', channel: 'flow_rate', absence: 0 };
const flowStops: Sight = { sees: 'falls', channel: 'flow_rate', slight: 0.5, clear: 0.9 };
const motorHeats: Sight = { sees: 'rises', channel: 'motor_temperature', slight: 0.04, clear: 0.3, absence: 0.1 };
const intakeRises: Sight = { sees: 'rises', channel: 'intake_pressure', slight: 0.02, clear: 0.1 };
const dischargeFalls: Sight = { sees: 'falls', channel: 'discharge_pressure', slight: 0.02, clear: 0.1 };
const dischargeRises: Sight = { sees: 'rises', channel: 'discharge_pressure', slight: 0.015, clear: 0.08 };
const wellheadRises: Sight = { sees: 'rises', channel: 'pressure', slight: 0.08, clear: 0.4 };
const wellheadFalls: Sight = { sees: 'falls', channel: 'pressure', slight: 0.05, clear: 0.2 };
const vibrationRises: Sight = { sees: 'rises', channel: 'vibration', slight: 0.2, clear: 0.8 };
const vibrationUnrest: Sight = { sees: 'unrest', channel: 'vibration' };
const calmCurrent: Sight = { sees: 'calm', channel: 'motor_current' };
const calmIntake: Sight = { sees: 'calm', channel: 'intake_pressure' };

export const SIGNATURES: Readonly<Record<ConditionName, Signature>> = {
  gas_lock: {
    needs: [
      [currentUnrest, intakeUnrest],
      [flowStops, { sees: 'falls', channel: 'motor_current', slight: 0.15, clear: 0.35 }],
    ],
    expects: [
      expects(2, { sees: 'falls', channel: 'motor_current', slight: 0.1, clear: 0.3 }),
      expects(2, currentUnrest),
      expects(2.5, intakeUnrest),
      expects(2.5, { sees: 'falls', channel: 'flow_rate', slight: 0.5, clear: 0.8 }),
      expects(1, motorHeats),
      expects(1, { sees: 'not rising', channel: 'discharge_pressure', within: 0.04 }),
    ],
  },
  gas_interference: {
    needs: [[currentUnrest, intakeUnrest, flowUnrest]],
    expects: [
      expects(1.5, { sees: 'falls', channel: 'motor_current', slight: 0.015, clear: 0.08, absence: 0.2 }),
      expects(2.5, currentUnrest),
      expects(2.5, intakeUnrest),
      expects(1.5, { sees: 'falls', channel: 'flow_rate', slight: 0.03, clear: 0.15, absence: 0.3 }),
      expects(2, { sees: 'above', channel: 'flow_rate', share: 0.4 }),
      expects(1.5, { sees: 'above', channel: 'motor_current', share: 0.6 }),
      expects(0.5, motorHeats),
      expects(1.5, { sees: 'not rising', channel: 'vibration', within: 0.6 }),
    ],
  },
  pump_off: {
    needs: [
      [intakeFallsFar],
      // After a start the intake falls, and is meant to.
      [
        { sees: 'settled', seconds: 3 * HOUR },
        { sees: 'falls', channel: 'flow_rate', slight: 0.25, clear: 0.5 },
        { sees: 'falls', channel: 'motor_current', slight: 0.1, clear: 0.25 },
      ],
    ],
    expects: [
      expects(3, intakeFallsFar),
      expects(1.5, { sees: 'swift', channel: 'intake_pressure' }),
      expects(1, { sees: 'not rising', channel: 'flow_rate', within: 0.04 }),
      expects(1, { sees: 'not rising', channel: 'motor_current', within: 0.04 }),
      expects(1.5, { sees: 'gradual', channel: 'intake_pressure' }),
      expects(1.5, { sees: 'falls', channel: 'motor_current', slight: 0.03, clear: 0.12, absence: 0.15 }),
      expects(1.5, { sees: 'falls', channel: 'flow_rate', slight: 0.04, clear: 0.2, absence: 0.15 }),
      expects(1, { sees: 'not rising', channel: 'discharge_pressure', within: 0.04 }),
      expects(0.7, calmIntake),
    ],
  },
  broken_shaft: {
    needs: [
      [{ sees: 'falls', channel: 'motor_current', slight: 0.2, clear: 0.4, absence: 1 }],
      [flowStops, { sees: 'falls', channel: 'discharge_pressure', slight: 0.03, clear: 0.15 }, intakeRises],
    ],
    expects: [
      expects(3, { sees: 'falls', channel: 'motor_current', slight: 0.2, clear: 0.45 }),
      expects(1, { sees: 'sudden', channel: 'motor_current' }),
      expects(2, flowStops),
      expects(2, intakeRises),
      expects(2, { sees: 'falls', channel: 'discharge_pressure', slight: 0.03, clear: 0.15 }),
      expects(2, calmIntake),
      expects(1, calmCurrent),
      expects(1, { sees: 'not rising', channel: 'pressure', within: 0.08 }),
    ],
  },
  deadhead: {
    needs: [
      [wellheadRises, dischargeRises],
      [flowStops, { sees: 'falls', channel: 'motor_current', slight: 0.12, clear: 0.3 }],
    ],
    expects: [
      expects(2.5, wellheadRises),
      expects(2.5, dischargeRises),
      expects(2.5, flowStops),
      expects(1.5, currentFalls),
      expects(1, calmCurrent),
      expects(1, calmIntake),
      expects(1, motorHeats),
    ],
  },
  tubing_leak: {
    needs: [[intakeRises], [dischargeFalls, wellheadFalls]],
    expects: [
      expects(2.5, intakeRises),
      expects(2.5, dischargeFalls),
      expects(2.5, wellheadFalls),
      expects(2.5, { sees: 'steady', channel: 'motor_current', within: 0.1 }),
      expects(0.7, { sees: 'not rising', channel: 'flow_rate', within: 0.06 }),
      expects(2.5, { sees: 'swift', channel: 'intake_pressure' }),
      expects(1.5, { sees: 'swift', channel: 'flow_rate' }),
      expects(0.7, calmIntake),
    ],
  },
  scale: {
    isSlow: true,
    needs: [
      [{ sees: 'lasting', seconds: 12 * HOUR }],
      [
        { sees: 'falls', channel: 'flow_rate', slight: 0.025, clear: 0.12 },
        { sees: 'falls', channel: 'discharge_pressure', slight: 0.01, clear: 0.05 },
      ],
    ],
    expects: [
      expects(3, { sees: 'falls', channel: 'flow_rate', slight: 0.03, clear: 0.12 }),
      expects(1.5, { sees: 'falls', channel: 'discharge_pressure', slight: 0.008, clear: 0.05, absence: 0.3 }),
      expects(1.5, { sees: 'not falling', channel: 'intake_pressure', within: 0.05 }),
      expects(2, { sees: 'rises', channel: 'motor_current', slight: 0.008, clear: 0.05, absence: 0.3 }),
      expects(1.5, { sees: 'rises', channel: 'motor_temperature', slight: 0.03, clear: 0.2, absence: 0.3 }),
      expects(1, { sees: 'gradual', channel: 'flow_rate' }),
      expects(0.7, calmCurrent),
    ],
  },
  sand: {
    needs: [[vibrationRises, vibrationUnrest]],
    expects: [
      expects(3, vibrationRises),
      expects(2, vibrationUnrest),
      expects(2.5, { sees: 'rises', channel: 'motor_current', slight: 0.02, clear: 0.12 }),
      expects(1.5, { sees: 'unrest', channel: 'motor_current', absence: 0.4 }),
    ],
  },
  overload: {
    needs: [[{ sees: 'rises', channel: 'motor_current', slight: 0.08, clear: 0.2, absence: 1 }]],
    expects: [
      expects(3, { sees: 'rises', channel: 'motor_current', slight: 0.08, clear: 0.2 }),
      expects(1, { sees: 'rises', channel: 'motor_temperature', slight: 0.04, clear: 0.3, absence: 0.1 }),
      expects(2, { sees: 'not rising', channel: 'vibration', within: 0.25 }),
      expects(0.5, { sees: 'not rising', channel: 'flow_rate', within: 0.1 }),
      expects(2.5, { sees: 'swift', channel: 'motor_current' }),
    ],
  },
  electrical: {
    needs: [[{ sees: 'rises', channel: 'leakage_current', slight: 0.4, clear: 1.5, absence: 1 }]],
    expects: [
      expects(4, { sees: 'rises', channel: 'leakage_current', slight: 0.4, clear: 1.5 }),
      expects(0.5, { sees: 'steady', channel: 'flow_rate', within: 0.15 }),
      expects(0.5, { sees: 'steady', channel: 'intake_pressure', within: 0.15 }),
    ],
  },
  gauge_loss: {
    needs: [[{ sees: 'gauge lost' }]],
    expects: [expects(1, { sees: 'gauge lost' })],
  },
  stuck_sensor: {
    needs: [[{ sees: 'one still' }]],
    expects: [expects(1, { sees: 'one still' })],
  },
};
