/**
 * The archive as jobs and commands see it: brings chunks into the object store, and says what is there.
 *
 * A chunk is archived when its part has been uploaded, read back from the store and found to have the same rows, and the
 * table says `verified`. A kill at any moment leaves an export that does not count, and the next run begins it anew under
 * another name, or finishes it where nothing but the last word was missing.
 */
import { randomUUID } from 'node:crypto';
import type { Events } from '../monitoring/events.js';
import type { Database } from '../storage/database.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { formatTimestamp, sqlTimestamp } from '../telemetry/timestamp.js';
import { readFingerprint, withChunkRows, type ChunkRange, type Pace } from './chunk-rows.js';
import { readColumns } from './column-types.js';
import { dropChunk, type ChunkToDrop, type DropJudge, type DropResult } from './drop-chunk.js';
import { countOverdue, findDueChunks } from './due-chunks.js';
import { manifestText, partKeys, sha256Of, type PartIdentity } from './manifest.js';
import type { ObjectStore } from './object-store.js';
import {
  beginPart,
  forgetExport,
  latestPart,
  listDamagedParts,
  listParts,
  listUnreadParts,
  markChecked,
  markStale,
  markVerified,
  noteDamage,
  recordFigures,
  type ArchivePart,
  type DamagedPart,
} from './part-table.js';
import { archivedFingerprints, evidenceParts } from './restored-rows.js';
import { findDamage, findDamageOfRows } from './verify-part.js';
import { PartWriter, type WrittenPart } from './write-part.js';

export type { ChunkEvidence, DropVerdict } from './drop-chunk.js';

export interface ArchiverOptions {
  readonly database: Database;
  readonly store: ObjectStore;
  readonly events: Events;
  /** Age of a chunk's end from which on it is archived. */
  readonly afterDays: number;
}

/**
 * What became of a chunk: `archived` (a new part is verified), `unchanged` (the part that is there has its rows), `empty`
 * (it has none), `busy` (another process is at it).
 */
export type ChunkOutcome = 'archived' | 'unchanged' | 'empty' | 'busy';

export interface RunOptions {
  /** Compare chunks again whose part was compared less than so many hours ago; 0: all. */
  readonly uncheckedHours: number;
  /** Asked between chunks. */
  readonly shouldYield?: () => boolean;
  /** Ends the export under way too; it is begun anew the next time. */
  readonly stopping?: AbortSignal | undefined;
  readonly pace?: Pace;
  /** Told of every chunk. */
  readonly onChunk?: (range: ChunkRange, outcome: ChunkOutcome) => void;
}

export interface RunResult {
  readonly counts: Readonly<Record<ChunkOutcome, number>>;
  /** Chunks that were not come to. */
  readonly waiting: number;
}

export class Archiver {
  readonly #database: Database;
  readonly #store: ObjectStore;
  readonly #events: Events;
  readonly #afterDays: number;

  constructor({ database, store, events, afterDays }: ArchiverOptions) {
    this.#database = database;
    this.#store = store;
    this.#events = events;
    this.#afterDays = afterDays;
  }

  get address(): string {
    return this.#store.address;
  }

  /**
   * Archives what is due, oldest first. A chunk that fails does not keep those behind it, unless the trouble is the
   * database's or the store's.
   * @throws OperationalError the first failure, when all others have had their turn
   */
  async run(options: RunOptions): Promise<RunResult> {
    const due = await findDueChunks(this.#database, this.#afterDays, options.uncheckedHours);
    const counts: Record<ChunkOutcome, number> = { archived: 0, unchanged: 0, empty: 0, busy: 0 };
    const failures: OperationalError[] = [];
    let seen = 0;
    for (const range of due) {
      if (seen > 0 && options.shouldYield?.() === true) break;
      seen++;
      try {
        const outcome = await this.archiveChunk(range, options);
        counts[outcome]++;
        options.onChunk?.(range, outcome);
      } catch (error) {
        if (!(error instanceof OperationalError)) throw error;
        failures.push(error);
        if (error.retryable || options.stopping?.aborted === true) break;
      }
    }
    if (failures[0] !== undefined) throw failures[0];
    return { counts, waiting: due.length - seen };
  }

  /** Brings one chunk into the archive as it is now. */
  async archiveChunk(range: ChunkRange, { stopping, pace = unpaced }: Partial<RunOptions> = {}): Promise<ChunkOutcome> {
    const outcome = await this.#database.tryExclusive(`archive:${range.startUs}`, async () => {
      const latest = await this.#withoutInterrupted(range);
      if (latest === 'finished') return 'archived';
      if (!(await this.#hasRows(range))) return 'empty';
      let staleId: number | undefined;
      const archived = await archivedFingerprints(this.#database, range);
      if (latest !== undefined && archived.length > 0) {
        const fingerprint = await pace(() => readFingerprint(this.#database, range));
        if (archived.includes(fingerprint)) {
          await markChecked(this.#database, latest.id);
          return 'unchanged';
        }
      }
      if (latest?.state === 'verified') {
        staleId = latest.id;
        this.#events.emit('archive_part_stale', { ...described(latest), reason: 'the rows of the chunk have changed' });
      }
      await this.#export(range, (latest?.revision ?? 0) + 1, staleId, { stopping, pace });
      return 'archived';
    });
    return outcome ?? 'busy';
  }

  /**
   * Drops a chunk if `judge` says so under the lock, and the archive has its rows. Rows that are not those of the part make it
   * stale: the next run archives the chunk again.
   * @returns what became of it; `locked` when somebody works on the chunk, who is not waited for; `damaged` when the part is
   *   not in the store any more
   * @throws OperationalError `unexpected_chunks`, and those of the database
   */
  async drop(chunk: ChunkToDrop, judge: DropJudge): Promise<DropResult['outcome'] | 'damaged'> {
    const result = await this.#database.tryExclusive(`archive:${chunk.range.startUs}`, async () => {
      for (const part of await evidenceParts(this.#database, chunk.range))
        if (await this.#isGone(part)) return { outcome: 'damaged' } as const;
      return dropChunk(this.#database, chunk, judge);
    });
    if (result === undefined) return 'locked';
    if (result.outcome === 'stale') {
      this.#events.emit('archive_part_stale', { ...described(result.part), reason: 'the chunk has other rows' });
    } else if (result.outcome === 'dropped') {
      const { part, rows, lateRows } = result;
      this.#events.emit('chunk_dropped', { ...described(part), chunk: chunk.name, rows, lateRows });
    }
    return result.outcome;
  }

  /** All parts, by range and revision. */
  list(): Promise<ArchivePart[]> {
    return listParts(this.#database);
  }

  /**
   * Reads every part that counts from the store again, one after another, and yields what is wrong with it. A damaged part
   * whose rows are still there is stale from then on: nothing is dropped on its account, and the next run makes another.
   * @param unreadDays only parts that nobody has verified for so many days, the one first that waits for longest; undefined: all
   * @throws OperationalError when the store does not answer
   */
  async *verify(unreadDays?: number): AsyncGenerator<{ part: ArchivePart; damage: string | undefined }> {
    const parts =
      unreadDays === undefined
        ? await listParts(this.#database, { counting: true })
        : await listUnreadParts(this.#database, unreadDays);
    for (const part of parts) {
      if (part.figures === undefined) continue;
      const damage = await findDamage(this.#store, part, part.figures);
      await noteDamage(this.#database, part.id, damage ?? null);
      if (damage !== undefined) {
        this.#events.emit('archive_part_damaged', { ...described(part), damage });
        await markStale(this.#database, part.id);
      }
      yield { part, damage };
    }
  }

  /** Parts in which the last verification found something. */
  damaged(): Promise<DamagedPart[]> {
    return listDamagedParts(this.#database);
  }

  /** Chunks that should have been archived two days ago, and never were. */
  countOverdue(): Promise<number> {
    return countOverdue(this.#database, this.#afterDays + 2);
  }

  /**
   * The latest part, without an export that a killed process has left: that is forgotten, or, where its manifest is
   * written, finished. Whoever has the lock of the chunk knows that nobody is at it.
   */
  async #withoutInterrupted(range: ChunkRange): Promise<ArchivePart | 'finished' | undefined> {
    const latest = await latestPart(this.#database, range);
    if (latest?.state !== 'exporting') return latest;
    const { figures } = latest;
    if (figures !== undefined && (await this.#store.head(latest.manifestKey)) !== undefined) {
      if ((await findDamage(this.#store, latest, figures)) === undefined) {
        await markVerified(this.#database, latest.id);
        return 'finished';
      }
    }
    await forgetExport(this.#database, latest.id);
    return latestPart(this.#database, range);
  }

  async #export(
    range: ChunkRange,
    revision: number,
    staleId: number | undefined,
    { stopping, pace = unpaced }: Partial<RunOptions>,
  ): Promise<void> {
    const startedMs = performance.now();
    const columns = await readColumns(this.#database);
    const [objectKey, manifestKey] = partKeys(range, revision, randomUUID().slice(0, 8));
    const part: PartIdentity = { range, revision, objectKey, manifestKey, schemaVersion: await this.#schemaVersion() };
    const id = await beginPart(this.#database, part, staleId);
    const writer = new PartWriter(columns, { 'downhole.schema': String(part.schemaVersion) });
    await withChunkRows(this.#database, range, columns, pace, (pages) =>
      this.#store.put(objectKey, writer.bytes(until(pages, stopping))),
    );
    const { written } = writer;
    const damage = await findDamageOfRows(this.#store, part, written);
    if (damage !== undefined) throw readBackWrong(range, damage);
    await this.#conclude(id, part, written);
    this.#events.emit('archive_part_verified', {
      ...described(part),
      rows: written.tally.rows,
      bytes: written.bytes,
      seconds: (performance.now() - startedMs) / 1000,
    });
  }

  /** Manifest and last word, in this order: where the manifest is, nothing but the word can be missing. */
  async #conclude(id: number, part: PartIdentity, written: WrittenPart): Promise<void> {
    const manifest = manifestText(part, written);
    await recordFigures(this.#database, id, written, sha256Of(manifest));
    await this.#store.put(part.manifestKey, [Buffer.from(manifest)]);
    const damage = await findDamageOfManifest(this.#store, part.manifestKey, manifest);
    if (damage !== undefined) throw readBackWrong(part.range, damage);
    await markVerified(this.#database, id);
  }

  /** Whether a part is no longer there in its length. A last look before its rows are dropped: it costs two questions. */
  async #isGone(part: ArchivePart): Promise<boolean> {
    const bytes = part.figures?.bytes;
    const [object, manifest] = [await this.#store.head(part.objectKey), await this.#store.head(part.manifestKey)];
    if (object?.bytes === bytes && manifest !== undefined) return false;
    const name = object?.bytes === bytes ? part.manifestKey : part.objectKey;
    this.#events.emit('archive_part_damaged', {
      ...described(part),
      damage: `${name} is missing or of another length`,
    });
    await markStale(this.#database, part.id);
    return true;
  }

  async #hasRows({ startUs, endUs }: ChunkRange): Promise<boolean> {
    const rows = await this.#database.query(
      'SELECT FROM telemetry WHERE "timestamp" >= $1::timestamptz AND "timestamp" < $2::timestamptz LIMIT 1',
      [sqlTimestamp(startUs), sqlTimestamp(endUs)],
    );
    return rows.length > 0;
  }

  async #schemaVersion(): Promise<number> {
    const [row] = await this.#database.query<{ version: number }>(
      'SELECT max(version) AS version FROM schema_migrations',
    );
    return row?.version ?? 0;
  }
}

const unpaced: Pace = (work) => work();

const described = ({ range, revision }: PartIdentity) => ({
  from: formatTimestamp(range.startUs),
  to: formatTimestamp(range.endUs),
  revision,
});

async function findDamageOfManifest(store: ObjectStore, key: string, text: string): Promise<string | undefined> {
  const stored = await store.read(key, 0, Buffer.byteLength(text) + 1);
  return Buffer.from(stored).toString('utf8') === text ? undefined : `${key} is not what was written`;
}

/** Pages until the signal aborts. @throws OperationalError `archive_interrupted` then */
async function* until<T>(pages: AsyncIterable<T>, stopping: AbortSignal | undefined): AsyncGenerator<T> {
  for await (const page of pages) {
    if (stopping?.aborted === true) {
      throw new OperationalError('archive_interrupted', 'The export was interrupted, and begins anew the next time.', {
        retryable: true,
      });
    }
    yield page;
  }
}

const readBackWrong = ({ startUs }: ChunkRange, damage: string): OperationalError =>
  new OperationalError(
    'archive_damaged',
    `The part of the chunk from ${formatTimestamp(startUs)} was read back and is not what was written: ${damage}. ` +
      'It does not count, and is made anew. If it happens again, look at the storage.',
  );
