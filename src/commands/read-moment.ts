/** A moment as somebody types it: RFC 3339, a date, or how far from now. */
import { MICROS_PER_DAY, MICROS_PER_SECOND, parseTimestamp } from '../telemetry/timestamp.js';
import { OperationalError } from '../telemetry/operational-error.js';

const SPAN = /^(\d{1,6})(min|h|d)$/;
const SECONDS = { min: 60, h: 3600, d: 86_400 } as const;

/**
 * @param option stands in the message: `--expires`
 * @param direction of a number of days, or a span: 1 after now, −1 before
 * @returns epoch microseconds
 * @throws OperationalError `wrong_usage`
 */
export function readMoment(option: string, text: string, direction: 1 | -1, nowUs = Date.now() * 1000): number {
  if (/^\d{1,5}$/.test(text)) return nowUs + direction * Number(text) * MICROS_PER_DAY;
  const span = SPAN.exec(text);
  if (span !== null)
    return nowUs + direction * Number(span[1]) * SECONDS[span[2] as keyof typeof SECONDS] * MICROS_PER_SECOND;
  const micros = parseTimestamp(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text);
  if (typeof micros === 'number') return micros;
  throw new OperationalError(
    'wrong_usage',
    `${option} ${JSON.stringify(text)} is no moment; give a number of days, a span (90min, 24h, 7d), a date (2027-01-31, from 00:00 UTC) or 2027-01-31T18:00:00Z`,
  );
}
