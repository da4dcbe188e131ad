/** What the hand-made courses of faults have in common: how long, how often. */
import type { TraceSpec } from './hand-made-trace.js';

export const MINUTE = 60;
export const HOUR = 3600;
export const DAY = 86_400;

export interface HandMadeFault extends TraceSpec {
  readonly name: string;
  /** Where the course itself is slower than the condition usually is. */
  readonly foundWithinSeconds?: number;
}

export const fine = { intervalSeconds: 1, beforeSeconds: 15 * MINUTE, duringSeconds: 15 * MINUTE } as const;
export const minutely = { intervalSeconds: MINUTE, beforeSeconds: 4 * HOUR, duringSeconds: 2 * HOUR } as const;
export const quarterly = { intervalSeconds: 15 * MINUTE, beforeSeconds: 4 * DAY, duringSeconds: DAY } as const;
