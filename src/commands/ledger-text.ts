/** The loss ledger as text for a terminal. */
import type { Ledger, LedgerVerification } from '../console/ledger-schemas.js';
import { textTable } from './text-table.js';

const HEADS = ['received', 'stored', 'merged', 'duplicate', 'dead-lettered', 'rejected'] as const;
const COUNTS = ['received', 'stored', 'merged', 'duplicate', 'dead_lettered', 'rejected'] as const;
const NONE = '-';
/** All but the first column, which names the row. */
const isFigure = (column: number): boolean => column > 0;

/** `(unknown device)` for records of which nobody knows the device. */
const deviceName = (deviceId: string): string => (deviceId === '' ? '(unknown device)' : deviceId);

export function ledgerText(ledger: Ledger): string {
  const { by, rows, sum, total } = ledger;
  if (rows.length === 0) return `No record arrived from ${ledger.since} to ${ledger.until}.\n`;
  const keyOf = ({ key, whole_day: isDay }: Ledger['rows'][number]): string =>
    by === 'device' ? deviceName(key) : by === 'day' ? key.slice(0, 10) : isDay ? `${key.slice(0, 10)} (day)` : key;
  const table = textTable(
    [
      [by, ...HEADS, 'first', 'last'],
      ...rows.map((row) => [
        keyOf(row),
        ...COUNTS.map((name) => String(row[name])),
        row.first_at ?? NONE,
        row.last_at ?? NONE,
      ]),
      ['all', ...COUNTS.map((name) => String(sum[name]))],
    ],
    isFigure,
  );
  const left = total - rows.length;
  const more = left === 0 ? '' : `${left} more rows; --limit shows them. "all" has them in it.\n`;
  return `Arrived from ${ledger.since} to ${ledger.until}\n${table}${more}`;
}

export function verificationText(result: LedgerVerification): string {
  const { differences, devices, counted, found } = result;
  const head = `Written from ${result.since} to ${result.until}\n`;
  const sums = `${devices} devices: ${counted} rows counted, ${found} found`;
  if (differences.length === 0) return `${head}${sums}. No difference.\n`;
  const table = textTable(
    [
      ['device', 'counted', 'found', 'difference'],
      ...differences.map((device) => [
        deviceName(device.device_id),
        String(device.counted),
        String(device.found),
        signed(device.found - device.counted),
      ]),
    ],
    isFigure,
  );
  return `${head}${table}${sums}. What a difference means: downhole ledger verify --help\n`;
}

const signed = (difference: number): string => (difference > 0 ? `+${difference}` : String(difference));
