/** Which columns of a table are which columns of `telemetry`. Stored with the migration, so that a resumed run copies as it began. */
import { CHANNELS } from '../telemetry/channels.js';
import { OperationalError } from '../telemetry/operational-error.js';

/** What `--mapping` says; without it columns are named like those of `telemetry`. */
export interface LegacyMapping {
  readonly device?: string;
  readonly time?: string;
  /** Zone of a `timestamp without time zone`. */
  readonly timeZone?: string;
  /** Column of the old table → column of `telemetry`. */
  readonly columns?: Readonly<Record<string, string>>;
}

export interface LegacyColumn {
  readonly name: string;
  /** As PostgreSQL writes it: `double precision`, `character varying(64)`. */
  readonly type: string;
}

type ValueKind = 'real' | 'boolean' | 'timestamp' | 'text';

export interface ValueColumn extends LegacyColumn {
  readonly target: string;
  readonly kind: ValueKind;
  /** Of channels and of the score: what the CHECK of the column lets in. */
  readonly range: readonly [number, number] | null;
}

export interface ColumnPlan {
  readonly device: LegacyColumn;
  readonly time: LegacyColumn;
  /** Null where the column has an offset of its own. */
  readonly timeZone: string | null;
  readonly values: readonly ValueColumn[];
  /** Columns that `telemetry` has no place for: they go into `raw_values`, as unknown fields of a record do. */
  readonly extras: readonly LegacyColumn[];
}

const NUMBER_TYPE = /^(smallint|integer|bigint|real|double precision|numeric.*)$/;
const TEXT_TYPE = /^(text|character.*|uuid|smallint|integer|bigint)$/;

const TARGETS: ReadonlyMap<string, Pick<ValueColumn, 'kind' | 'range'>> = new Map([
  ...CHANNELS.map(
    ({ name, minimum, maximum }) =>
      [name, { kind: 'real', range: [minimum, maximum] }] as [string, Pick<ValueColumn, 'kind' | 'range'>],
  ),
  ['data_quality_score', { kind: 'real', range: [0, 1] }],
  ['is_anomaly', { kind: 'boolean', range: null }],
  ['ingestion_timestamp', { kind: 'timestamp', range: null }],
  ['source_system', { kind: 'text', range: null }],
]);

const fits = (kind: ValueKind, type: string): boolean => {
  if (kind === 'real') return NUMBER_TYPE.test(type);
  if (kind === 'boolean') return type === 'boolean';
  return kind === 'timestamp' ? type === 'timestamp with time zone' : TEXT_TYPE.test(type);
};

/** @throws OperationalError `legacy_unmappable` naming the column that does not fit, and what to do about it */
export function planColumns(columns: readonly LegacyColumn[], mapping: LegacyMapping): ColumnPlan {
  const find = (name: string, what: string): LegacyColumn => {
    const found = columns.find((column) => column.name === name);
    if (found === undefined) throw unmappable(`It has no column ${name} (${what}); say in --mapping which one it is.`);
    return found;
  };
  const device = find(mapping.device ?? 'device_id', 'the device');
  const time = find(mapping.time ?? 'timestamp', 'the time');
  if (!TEXT_TYPE.test(device.type)) throw unmappable(`Its column ${device.name} is ${device.type}, and no name.`);
  for (const column of Object.keys(mapping.columns ?? {})) find(column, 'of the mapping');
  const values: ValueColumn[] = [];
  const extras: LegacyColumn[] = [];
  for (const column of columns) {
    if (column === device || column === time) continue;
    const named = mapping.columns?.[column.name];
    const target = named ?? column.name;
    const definition = TARGETS.get(target);
    if (definition === undefined && named !== undefined)
      throw unmappable(`telemetry has no column ${named} for readings.`);
    if (definition === undefined || (named === undefined && !fits(definition.kind, column.type))) extras.push(column);
    else if (!fits(definition.kind, column.type))
      throw unmappable(`Its column ${column.name} is ${column.type}: ${target} needs another type.`);
    else if (values.some((value) => value.target === target)) throw unmappable(`Two of its columns are ${target}.`);
    else values.push({ ...column, ...definition, target });
  }
  return { device, time, timeZone: zoneOf(time, mapping.timeZone), values, extras };
}

function zoneOf({ name, type }: LegacyColumn, timeZone: string | undefined): string | null {
  if (type === 'timestamp with time zone') return null;
  if (type !== 'timestamp without time zone') throw unmappable(`Its column ${name} is ${type}, and no timestamp.`);
  if (timeZone === undefined)
    throw unmappable(`Its column ${name} has no time zone; say in --mapping which one is meant (timeZone: UTC).`);
  return timeZone;
}

/** Whether a writer or view that names the old columns finds them in `telemetry` too. */
export const keepsNames = (plan: ColumnPlan): boolean =>
  plan.device.name === 'device_id' &&
  plan.time.name === 'timestamp' &&
  plan.extras.length === 0 &&
  plan.values.every(({ name, target }) => name === target);

const unmappable = (message: string): OperationalError =>
  new OperationalError('legacy_unmappable', `The table telemetry cannot be taken over as it is. ${message}`);
