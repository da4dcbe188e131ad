/** Reads the archive again, part by part: of a chunk that was dropped it is the only copy, and disks forget. */
import type { Archiver } from '../archive/archiver.js';
import type { JobContext, JobDefinition, JobOutcome } from './job.js';

/** Each part is read once in so many days. */
const READ_EVERY_DAYS = 7;

export function verifyArchiveJob(archiver: Archiver): JobDefinition {
  return {
    name: 'verify-archive',
    description: `reads every part of the archive again once in ${READ_EVERY_DAYS} days, and compares it with its manifest`,
    lane: 'housekeeping',
    intervalSeconds: 3600,
    initialDelaySeconds: 600,
    run: (context) => verifyDue(archiver, context),
    async findFault() {
      const damaged = (await archiver.damaged()).length;
      return damaged === 0 ? null : `${damaged} parts of the archive are damaged or missing`;
    },
  };
}

async function verifyDue(archiver: Archiver, { shouldYield, slice }: JobContext): Promise<JobOutcome> {
  let verified = 0;
  let damaged = 0;
  const parts = archiver.verify(READ_EVERY_DAYS);
  for (;;) {
    const next = await slice(() => parts.next());
    if (next.done === true) return { detail: { verified, damaged }, more: false };
    verified++;
    if (next.value.damage !== undefined) damaged++;
    if (!shouldYield()) continue;
    await parts.return(undefined);
    return { detail: { verified, damaged }, more: true };
  }
}
