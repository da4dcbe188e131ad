/**
 * Which aggregate answers which part of a window. Whole days come from the daily level, what is left of them at the ends from
 * whole hours, and what is left of those from minutes: thirty days of a thousand wells are then 30 000 rows and some
 * thousands at the ends, instead of 43 million. Pure.
 */
import { MICROS_PER_DAY, MICROS_PER_SECOND } from '../telemetry/timestamp.js';

/** Epoch microseconds, the end exclusive. */
export interface TimeWindow {
  readonly fromUs: number;
  readonly toUs: number;
}

export type PieceLevel = '1min' | '1hour' | 'daily';

export interface WindowPiece extends TimeWindow {
  readonly level: PieceLevel;
}

export interface WindowPlan extends TimeWindow {
  /** In time order, without gap or overlap. */
  readonly pieces: readonly WindowPiece[];
}

export interface WindowOptions {
  readonly nowUs: number;
  /** Days that the two finer levels are kept. */
  readonly minuteDays: number;
  readonly hourDays: number;
  /** The widest bucket that may answer: a question by the hour cannot be answered from days. */
  readonly coarsest?: PieceLevel;
}

const WIDTH_US: Readonly<Record<PieceLevel, number>> = {
  '1min': 60 * MICROS_PER_SECOND,
  '1hour': 3600 * MICROS_PER_SECOND,
  daily: MICROS_PER_DAY,
};
const FROM_COARSE: readonly PieceLevel[] = ['daily', '1hour', '1min'];
/** What is about to be dropped may be gone before the question is answered. */
const MARGIN_DAYS = 1;

const floorTo = (us: number, width: number): number => Math.floor(us / width) * width;
const ceilTo = (us: number, width: number): number => Math.ceil(us / width) * width;

/**
 * Widens the window to whole minutes, and to whole hours or days where it ends in a time of which nothing finer is kept; then
 * cuts it into pieces, each of whole buckets of its level.
 */
export function planWindow({ fromUs, toUs }: TimeWindow, options: WindowOptions): WindowPlan {
  const finest = (us: number): number => {
    const ageDays = (options.nowUs - us) / MICROS_PER_DAY + MARGIN_DAYS;
    if (ageDays >= options.hourDays) return WIDTH_US.daily;
    return ageDays >= options.minuteDays ? WIDTH_US['1hour'] : WIDTH_US['1min'];
  };
  const window = { fromUs: floorTo(fromUs, finest(fromUs)), toUs: ceilTo(toUs, finest(toUs)) };
  const levels = FROM_COARSE.slice(FROM_COARSE.indexOf(options.coarsest ?? 'daily'));
  // A day that is not over yet is computed from its hours each time: as well from the hours at once.
  const wholeDaysToUs = floorTo(options.nowUs, MICROS_PER_DAY);
  return { ...window, pieces: cut(window, levels, wholeDaysToUs) };
}

function cut({ fromUs, toUs }: TimeWindow, levels: readonly PieceLevel[], wholeDaysToUs: number): WindowPiece[] {
  const [level, ...finer] = levels;
  if (fromUs >= toUs || level === undefined) return [];
  const width = WIDTH_US[level];
  const innerFromUs = ceilTo(fromUs, width);
  const innerToUs = floorTo(level === 'daily' ? Math.min(toUs, wholeDaysToUs) : toUs, width);
  if (innerFromUs >= innerToUs) return cut({ fromUs, toUs }, finer, wholeDaysToUs);
  return [
    ...cut({ fromUs, toUs: innerFromUs }, finer, wholeDaysToUs),
    { level, fromUs: innerFromUs, toUs: innerToUs },
    ...cut({ fromUs: innerToUs, toUs }, finer, wholeDaysToUs),
  ];
}
