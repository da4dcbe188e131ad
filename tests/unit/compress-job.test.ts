import { expect, it } from 'vitest';
import { compressJob } from '../../src/jobs/compress-job.js';
import type { JobContext } from '../../src/jobs/job.js';
import type { Database, Session } from '../../src/storage/database.js';
import { OperationalError } from '../../src/telemetry/operational-error.js';
import { recordEvents } from '../support/record-events.js';

/** A database with three overdue chunks, of which the first fails like this. */
function contextOf(failure: OperationalError): { context: JobContext; compressed: unknown[] } {
  const compressed: unknown[] = [];
  const session = {
    execute: async (sql: string, [chunk]: readonly unknown[] = []) => {
      if (!sql.includes('compress_chunk')) return 0;
      if (chunk === 'first') throw failure;
      return compressed.push(chunk);
    },
  } as unknown as Session;
  const database = {
    query: async () => ['first', 'second', 'third'].map((chunk) => ({ chunk })),
    transaction: (work: (within: Session) => Promise<unknown>) => work(session),
  } as unknown as Database;
  const context: JobContext = {
    database,
    events: recordEvents(),
    nowSeconds: 0,
    shouldYield: () => false,
    slice: (work) => work(),
  };
  return { context, compressed };
}

it('compresses the chunks behind one that cannot be compressed, and tells of that one', async () => {
  const damaged = new OperationalError('statement_failed', 'the chunk is damaged');
  const { context, compressed } = contextOf(damaged);
  await expect(compressJob().run(context)).rejects.toBe(damaged);
  expect(compressed).toEqual(['second', 'third']);
});

it('does not try chunk after chunk while the database is away', async () => {
  const away = new OperationalError('database_unavailable', 'away', { retryable: true });
  const { context, compressed } = contextOf(away);
  await expect(compressJob().run(context)).rejects.toBe(away);
  expect(compressed).toEqual([]);
});
