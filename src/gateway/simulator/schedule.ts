/**
 * When each well of a fleet reports: every interval, at a phase of its own, so that a thousand wells at one second
 * make a steady stream and not one burst a second. The grid is anchored in the epoch, not in the moment of a start:
 * whoever sends the same stretch again sends the same instants.
 */
export interface Schedule {
  /** Whole milliseconds, in microseconds. */
  readonly intervalUs: number;
  /** The first instant of a well at or after a time, epoch microseconds. */
  next(index: number, fromUs: number): number;
}

const MILLISECOND_US = 1000;

/** @param intervalSeconds rounded to whole milliseconds, at least one */
export function createSchedule(wells: number, intervalSeconds: number): Schedule {
  const intervalMs = Math.max(1, Math.round(intervalSeconds * 1000));
  const intervalUs = intervalMs * MILLISECOND_US;
  return {
    intervalUs,
    next(index, fromUs) {
      const phaseUs = Math.floor((index * intervalMs) / wells) * MILLISECOND_US;
      return Math.ceil((fromUs - phaseUs) / intervalUs) * intervalUs + phaseUs;
    },
  };
}
