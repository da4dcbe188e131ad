/**
 * SQL values to and from PostgreSQL's text format, the same for both implementations: neither driver's own
 * conversions are used, since they differ (and make a Date, with milliseconds, of a timestamp).
 */
import type { SqlValue } from './database.js';

type Decode = (text: string) => unknown;

const OID = {
  bool: 16,
  bytea: 17,
  int8: 20,
  int2: 21,
  int4: 23,
  oid: 26,
  json: 114,
  float4: 700,
  float8: 701,
  jsonb: 3802,
} as const;

/** Arrays by the type of their elements; what is not listed stays PostgreSQL's text (`{…}`). */
const ARRAY_OIDS: readonly (readonly [array: number, element: number])[] = [
  [1000, OID.bool],
  [1001, OID.bytea],
  [1005, OID.int2],
  [1007, OID.int4],
  [1016, OID.int8],
  [1021, OID.float4],
  [1022, OID.float8],
  [1028, OID.oid],
  [199, OID.json],
  [3807, OID.jsonb],
  [1002, 18], // "char"
  [1003, 19], // name
  [1009, 25], // text
  [1014, 1042], // char(n)
  [1015, 1043], // varchar
  [1115, 1114], // timestamp
  [1182, 1082], // date
  [1183, 1083], // time
  [1185, 1184], // timestamptz
  [1187, 1186], // interval
  [1231, 1700], // numeric
  [2951, 2950], // uuid
  [2210, 2205], // regclass
];

const decodeInteger: Decode = (text) => {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
};

const decodeBytes: Decode = (text) => new Uint8Array(Buffer.from(text.slice(2), 'hex'));

const decodeText: Decode = (text) => text;

const SCALARS: Readonly<Record<number, Decode>> = {
  [OID.bool]: (text) => text === 't',
  [OID.bytea]: decodeBytes,
  [OID.int8]: decodeInteger,
  [OID.int2]: Number,
  [OID.int4]: Number,
  [OID.oid]: Number,
  [OID.json]: (text) => JSON.parse(text) as unknown,
  [OID.float4]: Number,
  [OID.float8]: Number,
  [OID.jsonb]: (text) => JSON.parse(text) as unknown,
};

/** Reads PostgreSQL's array text: `{1,NULL,"a \"quoted\" one"}`, nested, without explicit lower bounds kept. */
function decodeArray(text: string, decodeElement: Decode): unknown[] {
  let position = text.indexOf('{'); // explicit bounds come first: [0:2]={1,2,3}

  const quoted = (): string => {
    let value = '';
    for (position++; text[position] !== '"'; position++) {
      if (text[position] === '\\') position++;
      value += text[position];
    }
    position++;
    return value;
  };
  const plain = (): string => {
    const start = position;
    while (text[position] !== ',' && text[position] !== '}') position++;
    return text.slice(start, position);
  };
  const array = (): unknown[] => {
    const elements: unknown[] = [];
    position++;
    while (text[position] !== '}') {
      if (text[position] === '{') elements.push(array());
      else if (text[position] === '"') elements.push(decodeElement(quoted()));
      else {
        const element = plain();
        elements.push(element === 'NULL' ? null : decodeElement(element));
      }
      if (text[position] === ',') position++;
    }
    position++;
    return elements;
  };
  return array();
}

/** Decoders by type OID. What is not in it stays text. */
export const DECODERS: Readonly<Record<number, Decode>> = {
  ...SCALARS,
  ...Object.fromEntries(
    ARRAY_OIDS.map(([array, element]): [number, Decode] => [
      array,
      (text) => decodeArray(text, SCALARS[element] ?? decodeText),
    ]),
  ),
};

/** The decoder for a type: for drivers that ask type by type. */
export const decoderFor = (oid: number): Decode => DECODERS[oid] ?? decodeText;

type Scalar = Exclude<SqlValue, null | readonly unknown[]>;

function encodeScalar(value: Scalar): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) {
    return `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`;
  }
  // String(-0) is '0', and the sign of a float8 would be lost.
  return Object.is(value, -0) ? '-0' : String(value);
}

const encodeElement = (value: Scalar | null): string => {
  if (value === null) return 'NULL';
  return `"${encodeScalar(value).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
};

/** A parameter in text format; PostgreSQL infers its type from the statement. */
export function encodeParameter(value: SqlValue): string | null {
  if (value === null) return null;
  if (Array.isArray(value)) return `{${(value as readonly (Scalar | null)[]).map(encodeElement).join(',')}}`;
  return encodeScalar(value as Scalar);
}
