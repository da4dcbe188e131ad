/**
 * Brings rows of the archive back: into `telemetry_archive` for analysis, or into `telemetry` itself.
 *
 * A part is read only once all its bytes are known to be those that were verified, and committed only once its rows are
 * counted and found to be those of the manifest: one transaction a part. So a kill at any moment leaves whole parts, and the
 * same call again finds them there and does the rest. Rows that are in the table already stay as they are.
 *
 * Aggregates are not refreshed over what comes back: they were computed when all of it was there, and no refresh reaches
 * below the last chunk that was dropped (docs/adr/0014-the-archive.md).
 */
import type { Events } from '../monitoring/events.js';
import type { Database, Session } from '../storage/database.js';
import { createHold, listHolds } from '../storage/holds.js';
import { sqlStateOf } from '../storage/sql-state.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { formatTimestamp, MICROS_PER_DAY, parseTimestamp } from '../telemetry/timestamp.js';
import type { ObjectStore } from './object-store.js';
import { listParts } from './part-table.js';
import { planParts, type PlannedPart } from './restore-plan.js';
import { PartRestore, type PartOutcome } from './restore-part.js';
import { createStaging, hashRows, hasRows, type RestoreTable, type RowSelection } from './restore-table.js';
import { fingerprintOf } from './chunk-rows.js';
import { forgetRestoredIfEmpty, noteRestored } from './restored-rows.js';
import { findDamageOfBytes } from './verify-part.js';

export interface RestorerOptions {
  readonly database: Database;
  readonly store: ObjectStore;
  readonly events: Events;
}

export interface RestoreRequest extends RowSelection {
  readonly into: RestoreTable;
}

/** Keeps what comes back into `telemetry` from the next retention. */
export interface RestoreHold {
  readonly days: number;
  /** For the audit log: `cli:USER`. */
  readonly actor: string;
}

export interface RestoredPart extends PartOutcome {
  readonly planned: PlannedPart;
}

/** Somebody wrote the same keys meanwhile: once more, and then row by row. */
const ATTEMPTS = 3;
/** unique_violation and serialization_failure */
const RACED: ReadonlySet<string | null> = new Set(['23505', '40001']);
/** A hold of an interrupted restore is used again if it ends this close to the one that is wanted. */
const HOLD_SLACK_US = MICROS_PER_DAY;

export class Restorer {
  readonly #database: Database;
  readonly #store: ObjectStore;
  readonly #events: Events;

  constructor({ database, store, events }: RestorerOptions) {
    this.#database = database;
    this.#store = store;
    this.#events = events;
  }

  get address(): string {
    return this.#store.address;
  }

  /** What a restore would read. */
  async plan(selection: RowSelection): Promise<PlannedPart[]> {
    return planParts(await listParts(this.#database, { counting: true }), selection);
  }

  /**
   * Makes the hold that a restore into `telemetry` needs, before the first row is there; that of an interrupted run is used
   * again. Of all devices, since it keeps whole chunks anyway.
   * @returns its id
   */
  async hold({ range }: RowSelection, { days, actor }: RestoreHold): Promise<number> {
    const from = formatTimestamp(range.startUs);
    const to = formatTimestamp(range.endUs);
    const expiresAtUs = Date.now() * 1000 + days * MICROS_PER_DAY;
    const reason = 'restored from the archive';
    const known = (await listHolds(this.#database)).find((hold) => {
      const expires = hold.expires_at === null ? Infinity : parseTimestamp(hold.expires_at);
      const isSame = hold.released_at === null && hold.device_id === null && hold.reason === reason;
      return isSame && hold.from === from && hold.to === to && Number(expires) > expiresAtUs - HOLD_SLACK_US;
    });
    if (known !== undefined) return known.id;
    const hold = { deviceId: null, fromUs: range.startUs, toUs: range.endUs, reason, expiresAtUs };
    return (await createHold(this.#database, hold, actor)).id;
  }

  /**
   * Restores part after part and yields what became of each. What was yielded is committed.
   * @throws OperationalError `archive_damaged`, `archive_object_missing`, `restore_columns`, `restore_busy`, and those of
   *   the store and the database
   */
  async *restore(request: RestoreRequest): AsyncGenerator<RestoredPart> {
    for (const planned of await this.plan(request)) {
      const startedMs = performance.now();
      // Nobody archives or drops the chunk meanwhile.
      const outcome = await this.#database.tryExclusive(`archive:${planned.part.range.startUs}`, () =>
        this.#restorePart(planned, request.into),
      );
      if (outcome === undefined) throw busy(planned);
      this.#events.emit('archive_part_restored', {
        from: formatTimestamp(planned.part.range.startUs),
        to: formatTimestamp(planned.part.range.endUs),
        revision: planned.part.revision,
        into: request.into,
        rows: outcome.added,
        differing: outcome.differing,
        seconds: (performance.now() - startedMs) / 1000,
      });
      yield { planned, ...outcome };
    }
  }

  async #restorePart(planned: PlannedPart, table: RestoreTable): Promise<PartOutcome> {
    const isThere = await this.#isThere(planned, table);
    if (isThere !== undefined) return isThere;
    const damage = await findDamageOfBytes(this.#store, planned.part, planned.figures);
    if (damage !== undefined) throw damaged(damage);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#database.transaction(
          (session) => this.#restoreWithin(session, planned, table, attempt > 1),
          {
            isolation: 'repeatable read',
            statementTimeoutMs: 0,
          },
        );
      } catch (error) {
        if (attempt === ATTEMPTS || !RACED.has(sqlStateOf(error))) throw error;
      }
    }
  }

  /** Whether the table has exactly the rows of the part: nothing has to be read from the store then. */
  async #isThere({ figures, isWhole, selection }: PlannedPart, table: RestoreTable): Promise<PartOutcome | undefined> {
    if (!isWhole || !(await hasRows(this.#database, table, selection))) return undefined;
    const found = await this.#database.transaction((session) => hashRows(session, table, selection), {
      statementTimeoutMs: 0,
    });
    if (fingerprintOf(found.rows, BigInt(found.hash)) !== figures.fingerprint) return undefined;
    return { added: 0, present: found.rows, differing: 0, examples: [], proof: 'fingerprint' };
  }

  async #restoreWithin(
    session: Session,
    planned: PlannedPart,
    table: RestoreTable,
    isContended: boolean,
  ): Promise<PartOutcome> {
    // The store may be slower than what a server takes for somebody who has gone away.
    await session.execute('SET LOCAL idle_in_transaction_session_timeout = 0');
    if (table === 'telemetry') {
      if (this.#database.capabilities.timescale === 'community')
        await session.execute('SET LOCAL timescaledb.max_tuples_decompressed_per_dml_transaction = 0');
      await forgetRestoredIfEmpty(session, planned.part.range);
    }
    const isEmpty = !isContended && !(await hasRows(session, table, planned.selection));
    if (!isEmpty) await createStaging(session, table);
    const restore = new PartRestore(session, this.#store, planned, table, isEmpty ? 'copy' : 'merge');
    const outcome = await restore.run();
    if (table === 'telemetry') await noteRestored(session, planned.part.id, restore.addedRows);
    return outcome;
  }
}

const damaged = (damage: string): OperationalError =>
  new OperationalError(
    'archive_damaged',
    `${damage}. Nothing of this part was restored. Run "downhole archive verify", and see docs/runbooks/archive.md.`,
  );

const busy = ({ part }: PlannedPart): OperationalError =>
  new OperationalError(
    'restore_busy',
    `The chunk from ${formatTimestamp(part.range.startUs)} is being archived, dropped or restored by another process. ` +
      'Run the same command again in a moment: what is restored already stays.',
    { retryable: true },
  );
