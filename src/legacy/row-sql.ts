/** SQL texts about one row of the old table, and about the row of `telemetry` that it becomes. */
import type { ColumnPlan, LegacyColumn, ValueColumn } from './column-plan.js';

/** Everything of a migration but the tables themselves lies in this schema, and goes with it. */
export const STAGE = 'downhole_legacy';

export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`;
export const quoteText = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** What history has no value for stays unknown, whatever the defaults of the columns say. */
const UNKNOWN_IN_HISTORY = ['data_quality_score', 'is_anomaly', 'ingestion_timestamp'];

/** Out of the range of `real` is out of every channel's range: infinite, so that no cast fails in somebody's write. NaN is the greatest number. */
export const AS_REAL_SQL = ['double precision', 'numeric'].map(
  (type) => `CREATE FUNCTION ${STAGE}.as_real(x ${type}) RETURNS real LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN x > 3e38 THEN 'Infinity'::real WHEN x < -3e38 THEN '-Infinity'::real
                WHEN x BETWEEN -1e-37 AND 1e-37 THEN 0::real ELSE x::real END $$`,
);

export interface RowSql {
  /** Columns of `telemetry` in the order of `values`. */
  readonly targets: readonly string[];
  /** The row as `telemetry` has it, from a row `source` of the old table. */
  values(source: string): string;
  device(source: string): string;
  time(source: string): string;
  /** Null, or why the row cannot be in `telemetry`. In parentheses: PL/pgSQL takes any other THEN for its own. */
  reason(source: string): string;
  /** The same number for a row of the old table … */
  hash(source: string): string;
  /** … and for the row of `telemetry` that it became. */
  hashOfTarget(target: string): string;
  /** UTC day. */
  day(time: string): string;
  /** Columns of the old table, and the values of a row of `telemetry` for them: the way back. */
  readonly oldColumns: readonly string[];
  oldValues(target: string): string;
}

export function rowSql(plan: ColumnPlan): RowSql {
  const { device, time, timeZone, values, extras } = plan;
  const deviceOf = (source: string): string => `${source}.${quoteName(device.name)}::text`;
  const timeOf = (source: string): string => {
    const column = `${source}.${quoteName(time.name)}`;
    return timeZone === null ? column : `(${column} AT TIME ZONE ${quoteText(timeZone)})`;
  };
  const valueOf = (source: string, value: ValueColumn): string =>
    converted(`${source}.${quoteName(value.name)}`, value);
  const extrasOf = (source: string): string =>
    `nullif(jsonb_strip_nulls(jsonb_build_object(${extras.map(({ name }) => `${quoteText(name)}, ${source}.${quoteName(name)}`).join(', ')})), '{}'::jsonb)`;
  const unknown = UNKNOWN_IN_HISTORY.filter((name) => !values.some(({ target }) => target === name));
  const kept = [
    'device_id',
    'timestamp',
    ...values.map(({ target }) => target),
    ...(extras.length > 0 ? ['raw_values'] : []),
  ];
  const keptValues = (source: string): string[] => [
    deviceOf(source),
    timeOf(source),
    ...values.map((value) => valueOf(source, value)),
    ...(extras.length > 0 ? [extrasOf(source)] : []),
  ];
  const backOf = (target: string, value: ValueColumn): string => `${target}.${quoteName(value.target)}::${value.type}`;
  const extraBack = (target: string, { name, type }: LegacyColumn): string =>
    /^jsonb?$/.test(type)
      ? `(${target}.raw_values->${quoteText(name)})::${type}`
      : `(${target}.raw_values->>${quoteText(name)})::${type}`;
  return {
    targets: [...kept, ...unknown].map(quoteName),
    values: (source) => [...keptValues(source), ...unknown.map(() => 'NULL')].join(', '),
    device: deviceOf,
    time: timeOf,
    reason: (source) =>
      `(CASE WHEN (length(${deviceOf(source)}) BETWEEN 1 AND 128) IS NOT TRUE THEN 'impossible: ' || ${quoteText(device.name)}
            WHEN isfinite(${timeOf(source)}) IS NOT TRUE THEN 'impossible: ' || ${quoteText(time.name)}
            ${values
              .filter(({ range }) => range !== null)
              .map(
                (value) =>
                  `WHEN (${valueOf(source, value)} BETWEEN ${value.range?.[0]} AND ${value.range?.[1]}) IS FALSE THEN 'impossible: ' || ${quoteText(value.name)}`,
              )
              .join('\n')} END)`,
    hash: (source) => `hash_record_extended(ROW(${keptValues(source).join(', ')}), 0)`,
    hashOfTarget: (target) =>
      `hash_record_extended(ROW(${kept.map((name) => `${target}.${quoteName(name)}`).join(', ')}), 0)`,
    day: (at) => `(${at} AT TIME ZONE 'UTC')::date`,
    oldColumns: [device, time, ...values, ...extras].map(({ name }) => quoteName(name)),
    oldValues: (target) =>
      [
        `${target}.device_id::${device.type}`,
        timeZone === null ? `${target}."timestamp"` : `${target}."timestamp" AT TIME ZONE ${quoteText(timeZone)}`,
        ...values.map((value) => backOf(target, value)),
        ...extras.map((extra) => extraBack(target, extra)),
      ].join(', '),
  };
}

function converted(column: string, { kind, type }: ValueColumn): string {
  if (kind === 'text') return `${column}::text`;
  if (kind !== 'real' || type === 'real') return column;
  // Whole numbers cannot leave the range of real.
  return /^(double|numeric)/.test(type) ? `${STAGE}.as_real(${column})` : `${column}::real`;
}
