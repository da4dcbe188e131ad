/** What the parts of the contract of databases share (database.ts). */
import type { Database } from '../../src/storage/database.js';
import { OperationalError } from '../../src/telemetry/operational-error.js';

export interface DatabaseContext {
  /** Opened by the suite before the first test. */
  readonly database: () => Database;
  /** A table of its own for a test, (id int primary key, value real). */
  readonly createTable: () => Promise<string>;
  readonly idsIn: (table: string) => Promise<unknown[]>;
}

export const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

export const failureOf = async (call: Promise<unknown>): Promise<OperationalError> => {
  const error: unknown = await call.then(
    () => new Error('the call succeeded'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof OperationalError)) throw error;
  return error;
};

/** A promise and the function that resolves it: to let calls meet at a point. */
export function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

/** Rows of (id int, value real) as one binary COPY stream, cut into chunks of a size that fits nothing. */
export function binaryRows(
  rows: readonly (readonly [id: number, value: number | null])[],
  chunkBytes = 1000,
): Uint8Array[] {
  const header = Buffer.alloc(19);
  header.write('PGCOPY\n\xff\r\n\0', 'latin1');
  const parts: Buffer[] = [header];
  for (const [id, value] of rows) {
    const row = Buffer.alloc(value === null ? 14 : 18);
    row.writeInt16BE(2, 0);
    row.writeInt32BE(4, 2);
    row.writeInt32BE(id, 6);
    row.writeInt32BE(value === null ? -1 : 4, 10);
    if (value !== null) row.writeFloatBE(value, 14);
    parts.push(row);
  }
  parts.push(Buffer.from([0xff, 0xff]));
  const stream = Buffer.concat(parts);
  const chunks: Uint8Array[] = [];
  for (let start = 0; start < stream.length; start += chunkBytes) {
    chunks.push(Uint8Array.from(stream.subarray(start, start + chunkBytes)));
  }
  return chunks;
}
