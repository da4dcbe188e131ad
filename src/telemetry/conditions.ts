/**
 * What can be wrong with a pump, its well or its instruments: the names that diagnoses, simulated faults and reports
 * share. Stored as text, so that a condition can be added; a name that was stored is never changed.
 */
interface ConditionDefinition {
  readonly label: string;
  /** By when after its onset it must be found, seconds: the pace at which it does harm. */
  readonly foundWithinSeconds: number;
  /** What to look at first, for whoever reads the diagnosis. */
  readonly advice: string;
}

const MINUTE = 60;
const DAY = 86_400;

export const CONDITIONS = {
  gas_interference: {
    label: 'gas interference',
    foundWithinSeconds: 15 * MINUTE,
    advice: 'lower the frequency or raise the intake pressure before the pump locks',
  },
  gas_lock: {
    label: 'gas lock',
    foundWithinSeconds: MINUTE,
    advice: 'stop or slow down and let the gas pass before the motor overheats',
  },
  pump_off: {
    label: 'pump-off',
    foundWithinSeconds: 10 * MINUTE,
    advice: 'the pump takes more than the well gives: lower the frequency',
  },
  broken_shaft: {
    label: 'broken shaft',
    foundWithinSeconds: MINUTE,
    advice: 'the motor turns without load: stop, and check by a restart at low frequency',
  },
  deadhead: {
    label: 'deadhead (closed valve)',
    foundWithinSeconds: MINUTE,
    advice: 'look for a closed valve or a plugged flow line; do not run against it',
  },
  tubing_leak: {
    label: 'tubing leak',
    foundWithinSeconds: 10 * MINUTE,
    advice: 'pressure-test the tubing; liquid runs back into the well',
  },
  scale: {
    label: 'scale or plugging',
    foundWithinSeconds: 3 * DAY,
    advice: 'compare with the pump curve; plan an acid or inhibitor treatment',
  },
  sand: {
    label: 'sand or solids',
    foundWithinSeconds: 5 * MINUTE,
    advice: 'change the frequency slowly; check the solids at the surface',
  },
  overload: {
    label: 'overload',
    foundWithinSeconds: 5 * MINUTE,
    advice: 'compare the current with its rated value; look for heavy fluid, drag or low voltage',
  },
  electrical: {
    label: 'electrical (insulation loss)',
    foundWithinSeconds: 10 * MINUTE,
    advice: 'measure the insulation of cable and motor at the next stop',
  },
  gauge_loss: {
    label: 'gauge loss',
    foundWithinSeconds: MINUTE,
    advice: 'the downhole readings are not to be believed; check the surface panel of the gauge',
  },
  stuck_sensor: {
    label: 'stuck or frozen sensor',
    // 120 samples, at one a second.
    foundWithinSeconds: 2 * MINUTE,
    advice: 'this reading is not to be believed; check the instrument and its scaling',
  },
} as const satisfies Record<string, ConditionDefinition>;

export type ConditionName = keyof typeof CONDITIONS;

export const CONDITION_NAMES = Object.keys(CONDITIONS) as readonly ConditionName[];
