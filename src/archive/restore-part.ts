/** One part into a table, within a transaction that the caller commits only if nothing throws. */
import type { Session } from '../storage/database.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { fingerprintOf } from './chunk-rows.js';
import type { ArchivedColumn } from './column-types.js';
import { RowCopyEncoder, type TargetColumn } from './copy-rows.js';
import type { ObjectStore } from './object-store.js';
import { readRowGroups } from './read-part.js';
import { mayHold, selectedRows, type PlannedPart } from './restore-plan.js';
import {
  copyRows,
  hashRows,
  mergeRows,
  tallyTable,
  targetColumns,
  type DifferingRow,
  type RestoreTable,
} from './restore-table.js';
import type { HashedRows } from './restored-rows.js';
import { RowTally, tallyDifference, type ColumnValues } from './row-tally.js';

/**
 * How it is known that the table has what the part has: `fingerprint` (number and hashes of all rows of the range are those
 * of the chunk that was archived), `checksums` (those of every column are those of the manifest), `rows` (other rows are
 * there as well, or only some were wanted: each that was read is in the table, or is counted as differing).
 */
export type RestoreProof = 'fingerprint' | 'checksums' | 'rows';

export interface PartOutcome {
  readonly added: number;
  /** Rows that were there before. */
  readonly present: number;
  /** Those of them that have other values than the archive has; they were left as they are. */
  readonly differing: number;
  readonly examples: readonly DifferingRow[];
  readonly proof: RestoreProof;
}

const MAX_EXAMPLES = 5;

export class PartRestore {
  readonly #session: Session;
  readonly #store: ObjectStore;
  readonly #planned: PlannedPart;
  readonly #table: RestoreTable;
  readonly #way: 'copy' | 'merge';
  readonly #columns: readonly ArchivedColumn[];
  #added = 0;
  #present = 0;
  #differing = 0;
  readonly #examples: DifferingRow[] = [];
  #hash = 0n;

  /**
   * @param way `copy` where the table has no row of the selection; `merge` where it may, and a staging table has been made
   */
  constructor(session: Session, store: ObjectStore, planned: PlannedPart, table: RestoreTable, way: 'copy' | 'merge') {
    this.#session = session;
    this.#store = store;
    this.#planned = planned;
    this.#table = table;
    this.#way = way;
    this.#columns = planned.figures.tally.columns.map(({ name, type }) => ({ name, type, nullable: true }));
  }

  /** What `run` has put into the table. */
  get addedRows(): HashedRows {
    return { rows: this.#added, hash: String(this.#hash) };
  }

  /** @throws OperationalError `archive_damaged`, `restore_columns`, `restore_mismatch` */
  async run(): Promise<PartOutcome> {
    const { part, figures, isWhole } = this.#planned;
    const columns = await targetColumns(this.#session, this.#table, figures.tally.columns, part.objectKey);
    await this.#putRows(columns);
    if (this.#way === 'copy') this.#hash = await this.#hashAdded();
    return {
      added: this.#added,
      present: this.#present,
      differing: this.#differing,
      examples: this.#examples,
      proof: isWhole && this.#way === 'copy' ? await this.#prove() : 'rows',
    };
  }

  async #putRows(columns: readonly TargetColumn[]): Promise<void> {
    const { part, figures, selection, isWhole } = this.#planned;
    const encoder = new RowCopyEncoder(columns);
    const tally = new RowTally(this.#columns);
    const device = this.#columns.findIndex(({ name }) => name === 'device_id');
    const time = this.#columns.findIndex(({ name }) => name === 'timestamp');
    for await (const { rows, values } of ahead(this.#groups())) {
      if (isWhole) tally.add(values, rows);
      const chosen = selectedRows(selection, values[device] ?? [], values[time] ?? [], rows);
      if (chosen.length > 0) await this.#put(columns, encoder.encode(values, chosen));
    }
    if (!isWhole) return;
    const difference = tallyDifference(figures.tally, tally.result());
    if (difference !== undefined) throw damagedRows(part.objectKey, `has ${difference}`);
  }

  async #put(columns: readonly TargetColumn[], stream: Uint8Array): Promise<void> {
    if (this.#way === 'copy') {
      this.#added += await copyRows(this.#session, this.#table, columns, stream);
      return;
    }
    const merged = await mergeRows(this.#session, this.#table, columns, stream);
    this.#added += merged.rows;
    this.#hash += BigInt(merged.hash);
    this.#present += merged.present;
    this.#differing += merged.differing;
    this.#examples.push(...merged.examples.slice(0, MAX_EXAMPLES - this.#examples.length));
  }

  /** Row groups that can have rows of the selection, all of them known to be in the part. */
  async *#groups(): AsyncGenerator<{ rows: number; values: ColumnValues }> {
    const { part, figures, selection } = this.#planned;
    let known = 0;
    const groups = readRowGroups(this.#store, part.objectKey, figures.bytes, this.#columns, (bounds) => {
      known += bounds.rows;
      return mayHold(selection, bounds);
    });
    try {
      yield* groups;
    } catch (error) {
      // Its bytes were right a moment ago: whatever the reader of Parquet says of them now.
      if (error instanceof OperationalError) throw error;
      throw damagedRows(
        part.objectKey,
        `cannot be read as Parquet: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    if (known !== figures.tally.rows)
      throw damagedRows(part.objectKey, `has ${known} rows instead of ${figures.tally.rows}`);
  }

  /** The table had none of these rows before, so those that are there now are those that came. */
  async #hashAdded(): Promise<bigint> {
    const found = await hashRows(this.#session, this.#table, this.#planned.selection);
    if (found.rows !== this.#added) throw mismatch(this.#planned, `${found.rows} rows instead of ${this.#added}`);
    return BigInt(found.hash);
  }

  async #prove(): Promise<RestoreProof> {
    const { figures, selection } = this.#planned;
    if (fingerprintOf(this.#added, this.#hash) === figures.fingerprint) return 'fingerprint';
    // Archived by another server, or before a migration: value by value then.
    const found = await tallyTable(this.#session, this.#table, selection.range, this.#columns);
    const difference = tallyDifference(figures.tally, found);
    if (difference !== undefined) throw mismatch(this.#planned, difference);
    return 'checksums';
  }
}

/** Reads one item ahead of whoever takes them: the database and the reader of Parquet work at the same time. */
async function* ahead<T>(items: AsyncGenerator<T>): AsyncGenerator<T> {
  let next = items.next();
  // The failure is that of the `await` below; until then nobody else would hear of it.
  next.catch(ignoreUntilAwaited);
  try {
    for (;;) {
      const result = await next;
      if (result.done === true) return;
      next = items.next();
      next.catch(ignoreUntilAwaited);
      yield result.value;
    }
  } finally {
    await items.return(undefined);
  }
}

function ignoreUntilAwaited(): void {}

const damagedRows = (objectKey: string, damage: string): OperationalError =>
  new OperationalError(
    'archive_damaged',
    `${objectKey} ${damage}. Nothing of this part was restored. Run "downhole archive verify", and see docs/runbooks/archive.md.`,
  );

const mismatch = ({ part }: PlannedPart, difference: string): OperationalError =>
  new OperationalError(
    'restore_mismatch',
    `What came into the table from ${part.objectKey} is not what is in it: ${difference}. Nothing of this part was restored. ` +
      'Does a trigger change rows of the table? Then take it away, and restore again.',
  );
