/** What the pump is doing, as stored in `operating_state smallint`. Values are part of the schema: never renumber. */
export const OperatingState = {
  /** Neither speed, current nor frequency is known. */
  unknown: 0,
  off: 1,
  starting: 2,
  running: 3,
  /** Speed changes: a frequency step, or a stop under way. */
  transient: 4,
} as const;

export type OperatingState = (typeof OperatingState)[keyof typeof OperatingState];

const NAMES = Object.keys(OperatingState) as (keyof typeof OperatingState)[];

/** The name of a stored state; `unknown` for NULL and for values of a newer version. */
export function operatingStateName(value: number | null): keyof typeof OperatingState {
  return (value === null ? undefined : NAMES[value]) ?? 'unknown';
}
