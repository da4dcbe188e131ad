/** Brings chunks past their age into the archive, one at a time, and again those whose rows have changed since. */
import type { Archiver } from '../archive/archiver.js';
import type { JobContext, JobDefinition, JobOutcome } from './job.js';

/** To compare a chunk with its part reads all its rows; whoever drops a chunk compares them once more. */
const COMPARE_EVERY_HOURS = 20;

export function archiveJob(archiver: Archiver): JobDefinition {
  return {
    name: 'archive',
    description: 'brings chunks past archive.afterDays into the archive, and again when late readings came',
    // Not while a chunk is being compressed: each would wait for the other's lock, and everybody who writes behind them.
    lane: 'chunks',
    intervalSeconds: 3600,
    initialDelaySeconds: 60,
    run: (context) => archiveDue(archiver, context),
    async findFault() {
      const overdue = await archiver.countOverdue();
      return overdue === 0 ? null : `${overdue} chunks should have been archived more than 2 days ago`;
    },
  };
}

async function archiveDue(archiver: Archiver, { shouldYield, stopping, slice }: JobContext): Promise<JobOutcome> {
  const { counts, waiting } = await archiver.run({
    uncheckedHours: COMPARE_EVERY_HOURS,
    shouldYield,
    stopping,
    pace: slice,
  });
  return { detail: { ...counts, waiting }, more: waiting > 0 };
}
