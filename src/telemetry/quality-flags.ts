/**
 * The bits of `quality_flags bigint`: why a record has the quality score that it has.
 *
 * Two 32-bit words, so that the hot path never touches a BigInt:
 *   low word   bits  0-19  expected channel missing, bit = catalogue position
 *              bits 20-30  the flags of `QualityFlag`
 *   high word  bits 32-50  impossible value (stored as NULL, kept in `raw_values`), bit − 32 = catalogue position
 *              bit  51     stored with any of `INCOHERENT_FLAGS`: the aggregates count rows without bits 32-51 as accurate
 *   bits 52-62 are free; bit 63 is the sign and stays 0.
 */
import { channelsInMask, type ChannelName } from './channels.js';

export const QualityFlag = {
  /** Temperature deviates by more than half of the mean of the device's last 24 hours. */
  temperatureDeviation: 1 << 20,
  /** Older than 300 s on arrival. */
  lateArrival: 1 << 21,
  /** A reading slightly below zero, within the zero-offset tolerance, was stored as 0. */
  zeroOffset: 1 << 22,
  /** The record had fields that the catalogue does not know; they are kept in `raw_values`. */
  unknownFields: 1 << 23,
  /** Older than the device's last record: limits and quality only, the detector did not see it. */
  notEvaluated: 1 << 24,
  /** Two reports with the same key and disjoint channels became this row. */
  merged: 1 << 25,
  /** At least one impossible value lies within the physical range, but outside the well's own limits. */
  outsideWellLimits: 1 << 26,
  /** A reading has moved faster than the process can: a spike, or a step that the next record confirms. */
  rateOfChange: 1 << 27,
  /** A lively channel repeats one value. */
  frozenReading: 1 << 28,
  /** The downhole gauge has fallen silent, or shows what a lost one does. */
  gaugeLoss: 1 << 29,
} as const;

export type QualityFlagName = keyof typeof QualityFlag;

/** Flags of readings that cannot be what the well does: they make a row inaccurate, as impossible values do. */
const INCOHERENT_FLAGS = QualityFlag.rateOfChange | QualityFlag.frozenReading | QualityFlag.gaugeLoss;
/** In the high word, and only in the database. */
const INCOHERENT_BIT = 1 << 19;

/** Low-word bits that hold the missing channels. */
export const CHANNEL_BITS = (1 << 20) - 1;

/** What a stored `quality_flags` says, in words. */
export interface ExplainedFlags {
  readonly missing: ChannelName[];
  readonly impossible: ChannelName[];
  readonly flags: QualityFlagName[];
}

/** The high word as it is stored. */
export function storedHighWord(low: number, high: number): number {
  return (low & INCOHERENT_FLAGS) === 0 ? high : high | INCOHERENT_BIT;
}

/** Both words as the one number that the column holds. Exact: bits end at 52. */
export function joinFlags(low: number, high: number): number {
  return (storedHighWord(low, high) >>> 0) * 4_294_967_296 + (low >>> 0);
}

/** The two words of a stored value. */
export function splitFlags(flags: number): { low: number; high: number } {
  return { low: (flags % 4_294_967_296) | 0, high: Math.floor(flags / 4_294_967_296) & ~INCOHERENT_BIT };
}

/** Explains a stored value for people and for the API. */
export function explainFlags(flags: number): ExplainedFlags {
  const { low, high } = splitFlags(flags);
  return {
    missing: channelsInMask(low & CHANNEL_BITS),
    impossible: channelsInMask(high & CHANNEL_BITS),
    flags: (Object.keys(QualityFlag) as QualityFlagName[]).filter((name) => (low & QualityFlag[name]) !== 0),
  };
}
