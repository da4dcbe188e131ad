/** What can be wrong with a record, by name: the closed list behind every figure of the quality monitor. */
import { CHANNEL_NAMES } from '../telemetry/channels.js';
import { CHANNEL_BITS, QualityFlag, splitFlags, type QualityFlagName } from '../telemetry/quality-flags.js';

export type Dimension = 'completeness' | 'validity' | 'consistency' | 'timeliness' | 'accuracy';

interface Problem {
  readonly dimension: Dimension | null;
  /** Condition on a row `t` of telemetry. */
  readonly sql: string;
}

const CURRENT_AT_STANDSTILL = '(t.motor_current > 5 AND t.drive_frequency = 0) IS TRUE';
const DISCHARGE_BELOW_INTAKE = '(t.operating_state = 3 AND t.discharge_pressure < t.intake_pressure) IS TRUE';
const SHIFT = 4_294_967_296;

const FLAG_DIMENSIONS: Readonly<Partial<Record<QualityFlagName, Dimension>>> = {
  temperatureDeviation: 'validity',
  lateArrival: 'timeliness',
  outsideWellLimits: 'accuracy',
  rateOfChange: 'accuracy',
  frozenReading: 'accuracy',
  gaugeLoss: 'accuracy',
};

const flagSql = (value: number): string => `t.quality_flags & ${value} <> 0`;
const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** By name, as the API takes and gives it. The first five are those of a whole dimension. */
export const PROBLEMS: ReadonlyMap<string, Problem> = new Map<string, Problem>([
  ['incomplete', { dimension: 'completeness', sql: flagSql(CHANNEL_BITS) }],
  ['anomaly', { dimension: 'consistency', sql: 't.is_anomaly' }],
  ['late_arrival', { dimension: 'timeliness', sql: flagSql(QualityFlag.lateArrival) }],
  [
    'inaccurate',
    {
      dimension: 'accuracy',
      sql: `((t.quality_flags >> 32) & ${CHANNEL_BITS} <> 0 OR ${CURRENT_AT_STANDSTILL} OR ${DISCHARGE_BELOW_INTAKE})`,
    },
  ],
  ['scored_down', { dimension: 'validity', sql: 't.data_quality_score < 1' }],
  ['current_at_standstill', { dimension: 'accuracy', sql: CURRENT_AT_STANDSTILL }],
  ['discharge_below_intake', { dimension: 'accuracy', sql: DISCHARGE_BELOW_INTAKE }],
  ...CHANNEL_NAMES.map((name, index): [string, Problem] => [
    `missing:${name}`,
    { dimension: 'completeness', sql: flagSql(2 ** index) },
  ]),
  ...CHANNEL_NAMES.map((name, index): [string, Problem] => [
    `impossible:${name}`,
    { dimension: 'accuracy', sql: flagSql(2 ** index * SHIFT) },
  ]),
  ...(Object.keys(QualityFlag) as QualityFlagName[])
    .filter((name) => name !== 'lateArrival')
    .map((name): [string, Problem] => [
      snake(name),
      { dimension: FLAG_DIMENSIONS[name] ?? null, sql: flagSql(QualityFlag[name]) },
    ]),
]);

/** What of a row decides which problems it has. */
export interface JudgedRow {
  readonly flags: number | null;
  readonly is_anomaly: boolean | null;
  readonly current_at_standstill: boolean;
  readonly discharge_below_intake: boolean;
}

/** Columns of `t` for `problemsOf`. */
export const JUDGED_COLUMNS = `t.quality_flags::float8 AS flags, t.is_anomaly, ${CURRENT_AT_STANDSTILL} AS current_at_standstill, ${DISCHARGE_BELOW_INTAKE} AS discharge_below_intake`;

/** The names of what is wrong with a row, without those that only sum others up. */
export function problemsOf(row: JudgedRow): string[] {
  const { low, high } = splitFlags(row.flags ?? 0);
  const found: string[] = [];
  for (const [index, name] of CHANNEL_NAMES.entries()) {
    if ((low & (1 << index)) !== 0) found.push(`missing:${name}`);
    if ((high & (1 << index)) !== 0) found.push(`impossible:${name}`);
  }
  for (const name of Object.keys(QualityFlag) as QualityFlagName[])
    if ((low & QualityFlag[name]) !== 0) found.push(snake(name));
  if (row.is_anomaly === true) found.push('anomaly');
  if (row.current_at_standstill) found.push('current_at_standstill');
  if (row.discharge_below_intake) found.push('discharge_below_intake');
  return found;
}
