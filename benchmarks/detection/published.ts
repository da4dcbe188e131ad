/** What others reached on all 34 files by the protocol P1; F1, false and missed alarms in per cent. Source: SKAB's leaderboard and docs/detection.md. */
export const PUBLISHED: readonly (readonly [name: string, f1: number, far: number, mar: number])[] = [
  ['Conv-AE (best published)', 0.784, 13.6, 28.0],
  ['MSET', 0.78, 39.7, 14.1],
  ['T²+Q', 0.758, 26.6, 24.9],
  ['isolation forest, FAR ≤ 2 % on development', 0.253, 2.7, 85.2],
  ['level shift, prototype "conservative"', 0.81, 1.5, 31.1],
  ['level shift, prototype "balanced"', 0.845, 3.4, 24.8],
  ['z-score, first 400 rows frozen', 0.361, 19.6, 74.3],
  ['z-score, rolling 400', 0.056, 4.3, 97.0],
];
