/** Counts → dimensions (requirements.md, Q1). Pure. */
import type { QualityFigures } from './quality-schemas.js';

/** Of some records, as the aggregates have them. */
export interface QualityCounts {
  readonly records: number;
  readonly anomalies: number;
  /** Records with a score, and the sum of the scores. */
  readonly scored: number;
  readonly score_sum: number;
  /** Records with flags: history taken over from elsewhere has none, and counts for no dimension but consistency. */
  readonly assessed: number;
  readonly complete: number;
  readonly timely: number;
  readonly coherent: number;
}

const WEIGHTS = { completeness: 0.3, validity: 0.3, consistency: 0.25, timeliness: 0.15 } as const;

export function figuresOf(counts: QualityCounts): QualityFigures {
  const validity = share(counts.score_sum, counts.scored);
  const dimensions = {
    completeness: share(counts.complete, counts.assessed),
    validity,
    consistency: share(counts.records - counts.anomalies, counts.records),
    timeliness: share(counts.timely, counts.assessed),
  };
  return {
    records: counts.records,
    anomalies: counts.anomalies,
    avg_quality: validity,
    ...dimensions,
    accuracy: share(counts.coherent, counts.assessed),
    overall: overallOf(dimensions),
  };
}

const share = (part: number, whole: number): number | null => (whole === 0 ? null : rounded(part / whole));

function overallOf(dimensions: Readonly<Record<keyof typeof WEIGHTS, number | null>>): number | null {
  let sum = 0;
  for (const name of Object.keys(WEIGHTS) as (keyof typeof WEIGHTS)[]) {
    const value = dimensions[name];
    if (value === null) return null;
    sum += value * WEIGHTS[name];
  }
  return rounded(sum);
}

/** Shares to a hundredth of a per cent would hide one bad record in a million: six digits do not. */
const rounded = (value: number): number => Number(value.toFixed(6));
