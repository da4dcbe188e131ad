/** The columns of `telemetry` as they are, and how each type is read from the database and lies in Parquet. */
import type { SchemaElement } from 'hyparquet';
import type { Session } from '../storage/database.js';
import { OperationalError } from '../telemetry/operational-error.js';

/** `timestamp` is instants in microseconds UTC; `json` is the database's text of a jsonb. */
export type ColumnType = 'float' | 'double' | 'boolean' | 'integer' | 'bigint' | 'timestamp' | 'text' | 'json';

export interface ArchivedColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
}

const TYPES: Readonly<Record<string, ColumnType>> = {
  real: 'float',
  'double precision': 'double',
  boolean: 'boolean',
  smallint: 'integer',
  integer: 'integer',
  bigint: 'bigint',
  'timestamp with time zone': 'timestamp',
  text: 'text',
  jsonb: 'json',
};

const COLUMNS_SQL = `
  SELECT attname AS name, format_type(atttypid, atttypmod) AS type, NOT attnotnull AS nullable
  FROM pg_attribute WHERE attrelid = 'telemetry'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`;

/**
 * All columns of the table, in its order: one that a later migration adds is archived without a word here.
 * @throws OperationalError `archive_column_type` where there is one of a type that is not known
 */
export async function readColumns(session: Session): Promise<ArchivedColumn[]> {
  const rows = await session.query<{ name: string; type: string; nullable: boolean }>(COLUMNS_SQL);
  return rows.map(({ name, type, nullable }) => {
    const known = TYPES[type];
    if (known !== undefined) return { name, type: known, nullable };
    throw new OperationalError(
      'archive_column_type',
      `The column ${name} of telemetry has the type ${type}, which the archive does not know, so nothing was archived. ` +
        'Remove the column, or change it to one of: ' +
        `${Object.keys(TYPES).join(', ')}.`,
    );
  });
}

/**
 * A text behind a character of ours: the embedded database takes a U+FEFF at the beginning of a text for a byte order mark
 * and leaves it out. `readText` takes the character away.
 */
export const selectText = (column: string): string => `'=' || ${column}`;
export const readText = (text: string): string => text.slice(1);

/** The column in a SELECT from `telemetry t`. */
export function selectColumn({ name, type }: ArchivedColumn): string {
  const column = `t."${name.replaceAll('"', '""')}"`;
  const alias = `"${name.replaceAll('"', '""')}"`;
  if (type === 'text') return `${selectText(column)} AS ${alias}`;
  if (type === 'timestamp') return `(extract(epoch FROM ${column}) * 1000000)::bigint AS ${alias}`;
  return `${column}${type === 'json' ? '::text' : ''} AS ${alias}`;
}

/** The column in the schema of a Parquet file. */
export function parquetElement({ name, type, nullable }: ArchivedColumn): SchemaElement {
  const repetition_type = nullable ? 'OPTIONAL' : 'REQUIRED';
  switch (type) {
    case 'float':
      return { name, type: 'FLOAT', repetition_type };
    case 'double':
      return { name, type: 'DOUBLE', repetition_type };
    case 'boolean':
      return { name, type: 'BOOLEAN', repetition_type };
    case 'integer':
      return { name, type: 'INT32', repetition_type };
    case 'bigint':
      return { name, type: 'INT64', repetition_type };
    case 'timestamp':
      return {
        name,
        type: 'INT64',
        repetition_type,
        converted_type: 'TIMESTAMP_MICROS',
        logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
      };
    case 'text':
    case 'json': // as text: the type JSON of Parquet is read by few
      return { name, type: 'BYTE_ARRAY', repetition_type, converted_type: 'UTF8' };
  }
}

/** A value as Parquet takes it and gives it back: 64-bit integers as bigint, NULL as null. */
export type ArchivedValue = number | bigint | boolean | string | null;

/** Of what the database gives. */
export function archivedValue(type: ColumnType, value: unknown): ArchivedValue {
  if (value === null || value === undefined) return null;
  if ((type === 'bigint' || type === 'timestamp') && typeof value === 'number') return BigInt(value);
  if (type === 'text') return readText(value as string);
  // PostgreSQL writes the shortest decimal that is this float32, and Number makes the nearest float64 of it.
  if (type === 'float') return Math.fround(value as number);
  return value as ArchivedValue;
}
