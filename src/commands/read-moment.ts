/** A moment as somebody types it: RFC 3339, a date, or days from now. */
import { MICROS_PER_DAY, parseTimestamp } from '../telemetry/timestamp.js';
import { OperationalError } from '../telemetry/operational-error.js';

/**
 * @param option stands in the message: `--expires`
 * @param direction of a number of days: 1 after now, −1 before
 * @returns epoch microseconds
 * @throws OperationalError `wrong_usage`
 */
export function readMoment(option: string, text: string, direction: 1 | -1, nowUs = Date.now() * 1000): number {
  if (/^\d{1,5}$/.test(text)) return nowUs + direction * Number(text) * MICROS_PER_DAY;
  const micros = parseTimestamp(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text);
  if (typeof micros === 'number') return micros;
  throw new OperationalError(
    'wrong_usage',
    `${option} ${JSON.stringify(text)} is no moment; give a number of days, a date (2027-01-31, from 00:00 UTC) or 2027-01-31T18:00:00Z`,
  );
}
