/** At least three courses a condition: other wells, sizes, sampling, noise, and instruments that are missing. */
import type { ConditionName } from '../../src/telemetry/conditions.js';
import type { HandMadeFault } from './hand-made-fault.js';
import { FLOW_FAULTS } from './hand-made-flow-faults.js';
import { OTHER_FAULTS } from './hand-made-other-faults.js';

export const HAND_MADE_FAULTS: Readonly<Record<ConditionName, readonly HandMadeFault[]>> = {
  ...FLOW_FAULTS,
  ...OTHER_FAULTS,
};
