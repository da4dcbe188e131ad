/**
 * The quality score as a function of the flags alone, so that whoever has the flags (the pipeline that sets them,
 * the writer that merges two reports into one row) arrives at the same figure. Deductions: requirements.md, I5.
 */
import { CHANNEL_BITS, QualityFlag } from './quality-flags.js';

/** Deductions in hundredths: sums of whole numbers are exact, so any order of deductions gives the same score. */
const QUALITY_DEDUCTION_HUNDREDTHS = {
  /** Each expected channel that is missing. */
  missingChannel: 15,
  /** Each impossible value, which then does not count as missing too. */
  impossibleValue: 25,
  temperatureDeviation: 20,
  lateArrival: 10,
} as const;

/** Ones in a 32-bit word. */
function popCount(word: number): number {
  let bits = word - ((word >>> 1) & 0x5555_5555);
  bits = (bits & 0x3333_3333) + ((bits >>> 2) & 0x3333_3333);
  bits = (bits + (bits >>> 4)) & 0x0f0f_0f0f;
  return Math.imul(bits, 0x0101_0101) >>> 24;
}

/**
 * The score (0 … 1, whole hundredths) that the two words of `quality_flags` stand for.
 * Callers keep a channel out of the missing bits when its impossible bit is set: here each bit costs what it costs.
 */
export function scoreOfFlags(low: number, high: number): number {
  const deducted =
    popCount(low & CHANNEL_BITS) * QUALITY_DEDUCTION_HUNDREDTHS.missingChannel +
    popCount(high & CHANNEL_BITS) * QUALITY_DEDUCTION_HUNDREDTHS.impossibleValue +
    ((low & QualityFlag.temperatureDeviation) === 0 ? 0 : QUALITY_DEDUCTION_HUNDREDTHS.temperatureDeviation) +
    ((low & QualityFlag.lateArrival) === 0 ? 0 : QUALITY_DEDUCTION_HUNDREDTHS.lateArrival);
  return deducted >= 100 ? 0 : (100 - deducted) / 100;
}
