/** Rows counted by label and verdict, and the figures that follow from them. */

export interface Tally {
  truePositive: number;
  falsePositive: number;
  trueNegative: number;
  falseNegative: number;
}

/** F1 as a fraction; false alarm rate and missed alarm rate in per cent. null where there is nothing to divide by. */
export interface Rates {
  readonly f1: number | null;
  readonly far: number | null;
  readonly mar: number | null;
}

export const emptyTally = (): Tally => ({ truePositive: 0, falsePositive: 0, trueNegative: 0, falseNegative: 0 });

export function count(tally: Tally, label: number, verdict: number): void {
  if (label === 1) tally[verdict === 1 ? 'truePositive' : 'falseNegative']++;
  else tally[verdict === 1 ? 'falsePositive' : 'trueNegative']++;
}

export function pooled(tallies: readonly Tally[]): Tally {
  const sum = emptyTally();
  for (const tally of tallies) {
    for (const key of Object.keys(sum) as (keyof Tally)[]) sum[key] += tally[key];
  }
  return sum;
}

export function ratesOf({ truePositive, falsePositive, trueNegative, falseNegative }: Tally): Rates {
  const positives = truePositive + falseNegative;
  return {
    f1: positives === 0 ? null : share(2 * truePositive, 2 * truePositive + falsePositive + falseNegative, 4),
    far: percent(falsePositive, falsePositive + trueNegative),
    mar: percent(falseNegative, positives),
  };
}

export function percent(part: number, whole: number): number | null {
  return share(100 * part, whole, 2);
}

function share(part: number, whole: number, decimals: number): number | null {
  return whole === 0 ? null : Number((part / whole).toFixed(decimals));
}
