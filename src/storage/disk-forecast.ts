/** In how many days the disk is full, from what was measured each day. Pure. */

export interface MeasuredDay {
  /** Days since 1970, UTC. */
  readonly day: number;
  /** By Downhole, on the disk of the database. */
  readonly usedBytes: number;
}

export interface DiskForecast {
  /** null: unknown, or it does not fill; `basis` says which. */
  readonly daysUntilFull: number | null;
  /** null: unknown. Negative: it shrinks. */
  readonly growthBytesPerDay: number | null;
  /** What it was computed from, or why it could not be, in words. */
  readonly basis: string;
}

/** Between first and last: a weekend more or less is no trend. */
const LEAST_DAYS = 3;
export const FORECAST_DAYS = 28;

/**
 * The median of the slopes between any two days (Theil 1950, Sen 1968): the day of a large import, or the one on which much
 * was compressed, does not decide alone.
 * @param days any order, one entry a day at most; those of the last FORECAST_DAYS count
 * @param freeBytes null: the disk cannot be seen
 */
export function forecastDisk(days: readonly MeasuredDay[], freeBytes: number | null): DiskForecast {
  const sorted = [...days].sort((a, b) => a.day - b.day);
  const last = sorted.at(-1);
  const recent = sorted.filter(({ day }) => day > (last?.day ?? 0) - FORECAST_DAYS);
  const first = recent[0];
  const span = first === undefined || last === undefined ? 0 : last.day - first.day;
  if (span < LEAST_DAYS)
    return unknown(`unknown: the sizes of ${recent.length} days are known, and ${LEAST_DAYS + 1} are needed`);
  const growth = medianSlope(recent);
  const from = `from the sizes of ${recent.length} days within ${span + 1}`;
  if (freeBytes === null)
    return {
      ...unknown(`unknown: the disk of the database cannot be seen from here; growth ${from}`),
      growthBytesPerDay: growth,
    };
  if (growth <= 0) return { daysUntilFull: null, growthBytesPerDay: growth, basis: `it does not fill, ${from}` };
  return { daysUntilFull: freeBytes / growth, growthBytesPerDay: growth, basis: from };
}

const unknown = (basis: string): DiskForecast => ({ daysUntilFull: null, growthBytesPerDay: null, basis });

function medianSlope(days: readonly MeasuredDay[]): number {
  const slopes = days.flatMap((later, index) =>
    days.slice(0, index).map((earlier) => (later.usedBytes - earlier.usedBytes) / (later.day - earlier.day)),
  );
  slopes.sort((a, b) => a - b);
  const middle = slopes.length >> 1;
  const upper = slopes[middle] as number;
  return slopes.length % 2 === 1 ? upper : (upper + (slopes[middle - 1] as number)) / 2;
}
