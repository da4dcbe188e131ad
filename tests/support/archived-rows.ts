/** Rows of telemetry with anything that a column can hold, and how an independent reader sees them in Parquet. */
import { DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import type { Database, SqlValue } from '../../src/storage/database.js';
import { formatTimestamp, MICROS_PER_DAY } from '../../src/telemetry/timestamp.js';

const anyText = fc
  .oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: 'binary' }),
    fc.constantFrom('', "'", '\ufeff', '\uffff', '😀'),
  )
  .map((text) => text.replaceAll('\0', ''));
const anyReal = fc.oneof(
  fc.float(),
  fc.constantFrom(0, -0, Number.NaN, Infinity, -Infinity, 1.401298464324817e-45, 3.4028234663852886e38, 0.1),
);
const within = (min: number, max: number) =>
  fc.oneof(fc.float({ min, max, noNaN: true }), fc.constantFrom(min, max), fc.constantFrom(0, -0));
const anyJson = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify(value).replaceAll('\\u0000', ''));
const orNull = (value: fc.Arbitrary<SqlValue>) => fc.option(value, { nil: null, freq: 4 });

const VALUES: Readonly<Record<string, fc.Arbitrary<SqlValue>>> = {
  temperature: orNull(within(-50, 200)),
  vibration: orNull(within(0, 50)),
  casing_pressure: orNull(within(0, 20_000)),
  data_quality_score: orNull(within(0, 1)),
  is_anomaly: orNull(fc.boolean()),
  ingestion_timestamp: orNull(
    fc.integer({ min: -(2 ** 31), max: 2 ** 32 }).map((s) => formatTimestamp(s * 1e6 + 123_457)),
  ),
  source_system: orNull(anyText),
  quality_flags: orNull(
    fc.oneof(
      fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
      fc.constantFrom(0n, -(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n + 1n),
    ),
  ),
  anomaly_score: orNull(anyReal),
  anomaly_cause: orNull(fc.integer({ min: -32_768, max: 32_767 })),
  operating_state: orNull(fc.integer({ min: 0, max: 4 })),
  raw_values: orNull(anyJson),
};

export interface AnyRow {
  readonly device_id: string;
  /** Microseconds into the day. */
  readonly offsetUs: number;
  readonly values: readonly SqlValue[];
}

/** Rows of one UTC day, no two of the same device and instant. */
export const anyRows: fc.Arbitrary<AnyRow[]> = fc.uniqueArray(
  fc.record({
    device_id: fc.oneof(
      fc.constantFrom('esp-1', 'esp-2', 'ESP-1', '井-7', '😀'),
      anyText.filter((text) => text !== '' && Array.from(text).length <= 128),
    ),
    offsetUs: fc.oneof(fc.integer({ min: 0, max: MICROS_PER_DAY - 1 }), fc.constantFrom(0, MICROS_PER_DAY - 1)),
    values: fc.tuple(...Object.values(VALUES)),
  }),
  { selector: ({ device_id, offsetUs }) => `${device_id}\0${offsetUs}`, minLength: 1, maxLength: 40 },
);

export async function insertAnyRows(database: Database, dayUs: number, rows: readonly AnyRow[]): Promise<void> {
  const columns = ['device_id', '"timestamp"', ...Object.keys(VALUES)];
  const sql = `INSERT INTO telemetry (${columns.join(', ')}) VALUES (${columns.map((_, index) => `$${index + 1}`).join(', ')})`;
  await database.transaction(async (session) => {
    for (const { device_id, offsetUs, values } of rows)
      await session.execute(sql, [device_id, formatTimestamp(dayUs + offsetUs), ...values]);
  });
}

const REALS =
  'temperature vibration pressure flow_rate motor_current rpm intake_pressure discharge_pressure motor_temperature drive_frequency ' +
  'motor_voltage leakage_current casing_pressure vibration_y vibration_z data_quality_score anomaly_score';
/** How one side says what both can say: text as its bytes, since readers take a U+FEFF at the beginning for a mark. */
interface Dialect {
  readonly micros: (column: string) => string;
  readonly bytes: (column: string) => string;
  readonly real: (column: string) => string;
  readonly bigint: (column: string) => string;
}

const POSTGRES: Dialect = {
  micros: (column) => `(extract(epoch FROM ${column}) * 1000000)::bigint::text`,
  bytes: (column) => `upper(encode(convert_to(${column}::text, 'UTF8'), 'hex'))`,
  real: (column) => `${column}::float8`,
  bigint: (column) => `${column}::text`,
};
const DUCKDB: Dialect = {
  micros: (column) => `CAST(epoch_us(${column}) AS VARCHAR)`,
  bytes: (column) => `hex(${column})`,
  real: (column) => column,
  bigint: (column) => `CAST(${column} AS VARCHAR)`,
};

const comparable = ({ micros, bytes, real, bigint }: Dialect): string =>
  [
    `${bytes('device_id')} AS device_id`,
    `${micros('"timestamp"')} AS "timestamp"`,
    ...REALS.split(' ').map((column) => `${real(column)} AS ${column}`),
    'is_anomaly',
    `${micros('ingestion_timestamp')} AS ingestion_timestamp`,
    `${bytes('source_system')} AS source_system`,
    `${bigint('quality_flags')} AS quality_flags`,
    'anomaly_cause',
    'operating_state',
    `${bytes('raw_values')} AS raw_values`,
  ].join(', ');

const key = ({ device_id, timestamp }: Record<string, unknown>): string => `${String(device_id)}\0${String(timestamp)}`;
const sorted = (rows: Record<string, unknown>[]): Record<string, unknown>[] =>
  rows.sort((one, other) => (key(one) < key(other) ? -1 : 1));

/** The rows of a day as the database has them, in `telemetry` or in a table like it. */
export async function rowsOfDay(
  database: Database,
  dayUs: number,
  table = 'telemetry',
): Promise<Record<string, unknown>[]> {
  return sorted(
    await database.query(
      `SELECT ${comparable(POSTGRES)} FROM ${table} WHERE "timestamp" >= $1::timestamptz AND "timestamp" < $2::timestamptz`,
      [formatTimestamp(dayUs), formatTimestamp(dayUs + MICROS_PER_DAY)],
    ),
  );
}

/** The rows of a Parquet file as DuckDB reads them. */
export async function rowsOfParquet(path: string): Promise<Record<string, unknown>[]> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const reader = await connection.runAndReadAll(
      `SELECT ${comparable(DUCKDB)} FROM read_parquet('${path.replaceAll("'", "''")}')`,
    );
    return sorted(reader.getRowObjectsJS());
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
