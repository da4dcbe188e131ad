/**
 * Drops chunks of readings past their retention that the archive has row for row, one at a time, and says in the run log
 * what it dropped, what it kept, and why. Without an archive it keeps everything.
 */
import type { Archiver, ChunkEvidence, DropVerdict } from '../archive/archiver.js';
import type { Retention } from '../storage/aggregate-levels.js';
import type { Database, Session } from '../storage/database.js';
import { OperationalError } from '../telemetry/operational-error.js';
import type { JobContext, JobDefinition, JobOutcome } from './job.js';
import {
  decideRetention,
  KEEP_REASONS,
  type ArchivedRange,
  type KeepReason,
  type RawHold,
  type RetentionDecision,
} from './raw-retention.js';
import { readHolds, readOldChunks, type OldChunk } from './raw-chunks.js';

/** Chunks of each kind that the run log names; the others are counted. */
const EXPLAINED_CHUNKS = 10;
/** A chunk this much past its retention that nothing but the archive keeps should have been dropped. */
const FAULT_AFTER_DAYS = 3;
/** What keeps a chunk for a good reason, however long. */
const MEANT_TO_KEEP: ReadonlySet<KeepReason> = new Set(['young', 'held', 'late']);

/** @param archiver without it nothing is dropped */
export function retainRawJob({ rawDays }: Retention, archiver?: Archiver): JobDefinition {
  return {
    name: 'retain-raw',
    description: `drops readings older than ${rawDays} days that a verified archive has, and says what keeps the others`,
    // No refresh may run beside it.
    lane: 'aggregates',
    intervalSeconds: 3600,
    initialDelaySeconds: 330,
    run: (context) => new RawRetention(context, rawDays, archiver).run(),
    findFault: (database) => findFault(database, rawDays),
  };
}

/** One run. */
class RawRetention {
  readonly #context: JobContext;
  readonly #rawDays: number;
  readonly #archiver: Archiver | undefined;
  readonly #kept = new Map<KeepReason, number>(KEEP_REASONS.map((reason) => [reason, 0]));
  readonly #explained: string[] = [];
  readonly #droppedNames: string[] = [];
  #dropped = 0;

  constructor(context: JobContext, rawDays: number, archiver: Archiver | undefined) {
    this.#context = context;
    this.#rawDays = rawDays;
    this.#archiver = archiver;
  }

  async run(): Promise<JobOutcome> {
    const { database, events, nowSeconds, shouldYield, slice } = this.#context;
    const chunks = await readOldChunks(database, nowSeconds, this.#rawDays);
    const holds = await readHolds(database);
    const failures: OperationalError[] = [];
    for (const [index, chunk] of chunks.entries()) {
      const decision = this.#decide(chunk, holds, chunk.archived, null);
      if (decision.drop) throw new Error(`${chunk.name} would be dropped without a look at its rows.`);
      if (decision.reason !== 'not_compared') {
        this.#keep(chunk, decision);
        continue;
      }
      if (shouldYield()) {
        if (failures[0] !== undefined) break;
        return { detail: this.#detail(chunks.length - index), more: true };
      }
      try {
        await slice(() => this.#dropIfArchived(chunk));
      } catch (error) {
        // One chunk that cannot be dropped must not keep those behind it for ever.
        if (!(error instanceof OperationalError)) throw error;
        failures.push(error);
        if (error.retryable) break; // the database or the archive as a whole
      }
    }
    if (failures[0] !== undefined) throw failures[0];
    events.emit('chunks_kept', { reasons: Object.fromEntries(this.#kept) });
    return { detail: this.#detail(0), more: false };
  }

  async #dropIfArchived(chunk: OldChunk): Promise<void> {
    if (this.#archiver === undefined) {
      this.#keep(chunk, { reason: 'no_archive', explanation: 'this process has no archive to compare it with' });
      return;
    }
    let last: RetentionDecision | undefined;
    const outcome = await this.#archiver.drop(
      { name: chunk.name, range: { startUs: chunk.startSeconds * 1e6, endUs: chunk.endSeconds * 1e6 } },
      async (session, evidence) => {
        last = await this.#decideLocked(session, chunk, evidence);
        return verdictOf(last);
      },
    );
    if (outcome === 'dropped') {
      this.#dropped++;
      if (this.#droppedNames.length < EXPLAINED_CHUNKS) this.#droppedNames.push(chunk.name);
    } else if (outcome === 'locked') {
      this.#keep(chunk, { reason: 'locked', explanation: 'somebody works on it; it is tried again in the next run' });
    } else if (last?.drop === false) {
      this.#keep(chunk, last);
    } else {
      this.#keep(chunk, { reason: 'not_verified', explanation: 'its part is not in the archive as it was written' });
    }
  }

  /** What was read before the lock may have changed: everything is looked at again. */
  async #decideLocked(session: Session, chunk: OldChunk, evidence: ChunkEvidence): Promise<RetentionDecision> {
    const { nowSeconds } = this.#context;
    const now = (await readOldChunks(session, nowSeconds, this.#rawDays, chunk.name))[0];
    if (now === undefined) throw new Error(`${chunk.name} is locked, and not there.`);
    const { archived, content } = evidence;
    return this.#decide(now, await readHolds(session), archived === null ? null : rangeOf(archived), content);
  }

  #decide(
    chunk: OldChunk,
    holds: readonly RawHold[],
    archived: ArchivedRange | null,
    content: ChunkEvidence['content'],
  ): RetentionDecision {
    const { nowSeconds } = this.#context;
    return decideRetention({ chunk, holds, archived, content, rawDays: this.#rawDays, nowSeconds });
  }

  #keep({ name }: OldChunk, { reason, explanation }: { reason: KeepReason; explanation: string }): void {
    this.#kept.set(reason, (this.#kept.get(reason) ?? 0) + 1);
    if (this.#explained.length < EXPLAINED_CHUNKS) this.#explained.push(`${name}: ${explanation}`);
  }

  #detail(waiting: number): Record<string, number | string> {
    const reasons = [...this.#kept].filter(([, count]) => count > 0);
    return {
      dropped: this.#dropped,
      ...(this.#dropped === 0 ? {} : { droppedChunks: this.#droppedNames.join(', ') }),
      kept: reasons.reduce((sum, [, count]) => sum + count, 0),
      ...Object.fromEntries(reasons),
      explained: this.#explained.join('; '),
      ...(this.#archiver === undefined ? { archive: 'none: everything is kept' } : {}),
      ...(waiting === 0 ? {} : { waiting }),
    };
  }
}

function rangeOf({ range, ...rest }: NonNullable<ChunkEvidence['archived']>): ArchivedRange {
  return { ...rest, startSeconds: range.startUs / 1e6, endSeconds: range.endUs / 1e6 };
}

function verdictOf(decision: RetentionDecision): DropVerdict {
  if (decision.drop) return 'drop';
  if (decision.reason === 'not_compared') return 'compare';
  return decision.reason === 'stale' ? 'stale' : 'keep';
}

async function findFault(database: Database, rawDays: number): Promise<string | null> {
  const nowSeconds = Date.now() / 1000;
  const allowedDays = rawDays + FAULT_AFTER_DAYS;
  const holds = await readHolds(database);
  const overdue = (await readOldChunks(database, nowSeconds, allowedDays)).filter((chunk) => {
    const { archived } = chunk;
    const decision = decideRetention({ chunk, holds, archived, content: null, rawDays: allowedDays, nowSeconds });
    return !decision.drop && !MEANT_TO_KEEP.has(decision.reason);
  });
  if (overdue.length === 0) return null;
  return (
    `${overdue.length} chunks should have been dropped more than ${FAULT_AFTER_DAYS} days ago, and neither a hold nor late ` +
    'readings keep them: the run log says what does'
  );
}
