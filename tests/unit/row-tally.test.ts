import { expect, it } from 'vitest';
import type { ArchivedColumn, ArchivedValue } from '../../src/archive/column-types.js';
import { createRowGroup, type RowGroup } from '../../src/archive/row-group.js';
import { RowTally } from '../../src/archive/row-tally.js';

const column = (name: string, type: ArchivedColumn['type']): ArchivedColumn => ({ name, type, nullable: true });
const COLUMNS = [
  column('device_id', 'text'),
  column('timestamp', 'timestamp'),
  column('temperature', 'float'),
  column('score', 'double'),
  column('is_anomaly', 'boolean'),
  column('state', 'integer'),
  column('flags', 'bigint'),
  column('raw', 'json'),
];
const VALUES: ArchivedValue[][] = [
  ['井-7', '井-7', 'a', 'b', ''],
  [1_700_000_000_123_456n, -5n, 0n, 2n ** 62n, 1n],
  [0, -0, Number.NaN, 1.5, null],
  [1e300, -0, Number.NaN, null, Infinity],
  [true, false, null, true, false],
  [-32_768, 0, 4, null, 7],
  [2n ** 63n - 1n, -(2n ** 63n), null, 5n, 0n],
  ['{"a":1}', null, '{"a":1}', '{"a":1}', ''],
];
/** In the manifests of every archive there is: a part of years ago has to have the same sums. */
const CHECKSUMS = [
  '10395ae796a56feb',
  '5ebc98f749eb3da1',
  'b9b6b086cef8dcf6',
  '2eab0689adf6fe18',
  'd3561ad3f8ec640b',
  '8798b9c4391c073c',
  '1e208e070fb9d6c0',
  '80bf88b77467de1f',
];

function groupOf(order: readonly number[]): RowGroup {
  const group = createRowGroup(COLUMNS, order.length);
  for (const [index, { values, isNull, ...rest }] of group.columns.entries()) {
    for (const [row, from] of order.entries()) {
      const value = VALUES[index]?.[from] ?? null;
      isNull[row] = value === null ? 1 : 0;
      if (value !== null) (values as ArchivedValue[])[row] = rest.type === 'boolean' ? Number(value) : value;
    }
    (group.columns[index] as { nulls: number }).nulls = isNull.reduce((sum, bit) => sum + bit, 0);
  }
  group.rows = order.length;
  return group;
}

const checksums = (tally: RowTally): string[] => tally.result().columns.map(({ checksum }) => checksum);

it('has the sums that manifests have, of values read back and of rows on their way out, in any order', () => {
  const read = new RowTally(COLUMNS);
  read.add(VALUES, 5);
  expect(read.result()).toMatchObject({ rows: 5, minTimeUs: -5, maxTimeUs: 2 ** 62 });
  expect(checksums(read)).toEqual(CHECKSUMS);
  for (const orders of [[[0, 1, 2, 3, 4]], [[4, 2, 0, 3, 1]], [[1], [3, 0], [2, 4]]]) {
    const tally = new RowTally(COLUMNS);
    for (const order of orders) tally.addGroup(groupOf(order));
    expect(tally.result()).toEqual(read.result());
  }
});

it('has other sums when two values change places', () => {
  const swapped = VALUES.map((values) => [...values]);
  swapped[5] = [0, -32_768, 4, null, 7];
  const tally = new RowTally(COLUMNS);
  tally.add(swapped, 5);
  expect(checksums(tally).filter((sum, index) => sum !== CHECKSUMS[index])).toHaveLength(1);
});
