/**
 * What became of a record, one of each: received = stored + merged + duplicate + dead-lettered + rejected + in flight.
 * (Rejected = refused synchronously; the sender still has it. In flight = durable in the queue, not yet written.)
 */
export const OUTCOMES = ['stored', 'merged', 'duplicate', 'dead_lettered', 'rejected'] as const;

export type Outcome = (typeof OUTCOMES)[number];

export type OutcomeCounts = Record<Outcome, number>;

export function zeroOutcomes(): OutcomeCounts {
  return { stored: 0, merged: 0, duplicate: 0, dead_lettered: 0, rejected: 0 };
}
