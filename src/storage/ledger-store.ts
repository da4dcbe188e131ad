/** Counts of the loss ledger into the table `ledger`: added to what is there, so that several processes add up. */
import { randomUUID } from 'node:crypto';
import { MICROS_PER_SECOND } from '../telemetry/timestamp.js';
import type { Database, Session } from './database.js';

/** What became of the records of some devices and hours, column by column; a device and hour may stand there twice. */
export interface LedgerEntries {
  /** '' = not known. */
  readonly deviceIds: string[];
  /** Hour of arrival, counted from 1970. */
  readonly hours: number[];
  readonly stored: number[];
  readonly merged: number[];
  readonly duplicate: number[];
  readonly deadLettered: number[];
  readonly rejected: number[];
  /** Rows stored whose `ingestion_timestamp` lies in the hour, whenever they arrived. */
  readonly written: number[];
  /** Earliest and latest time of the records, epoch microseconds; null where none could be read. */
  readonly firstUs: (number | null)[];
  readonly lastUs: (number | null)[];
  /** Whether the id is only what a refused record says: nobody need have heard of such a device. */
  readonly hearsay: boolean[];
}

/** Where the counts go. */
export interface LedgerSink {
  /**
   * Adds entries and resolves once they are committed. After a failure the same entries have to be given again before
   * any others: whether or not they were committed, they then count once. Rejects with an OperationalError.
   */
  add(entries: LedgerEntries): Promise<void>;
}

/** Rows that ids which nobody has heard of may get in each hour; the others count as not known. */
const MAX_STRANGERS_PER_HOUR = 100;

const KNOWN_SQL = 'SELECT device_id FROM devices WHERE device_id = ANY($1::text[])';

const instant = (micros: string): string => `timestamptz 'epoch' + ${micros} * interval '1 microsecond'`;

/** Adds the row that has come (`excluded`) to the one that is there (`l`). */
export const ADD_TO_ROW_SQL = `stored = l.stored + excluded.stored,
    merged = l.merged + excluded.merged,
    duplicate = l.duplicate + excluded.duplicate,
    dead_lettered = l.dead_lettered + excluded.dead_lettered,
    rejected = l.rejected + excluded.rejected,
    written = l.written + excluded.written,
    first_at = least(l.first_at, excluded.first_at),
    last_at = greatest(l.last_at, excluded.last_at)`;

/** In the order of the key, so that two processes wait for each other in a row and not in a circle. */
const ADD_SQL = `
  WITH turn AS (
    INSERT INTO ledger_writers AS w (writer, part) VALUES ($1, $2)
    ON CONFLICT (writer) DO UPDATE SET part = excluded.part, at = now() WHERE w.part < excluded.part
    RETURNING part
  )
  INSERT INTO ledger AS l (device_id, hour, stored, merged, duplicate, dead_lettered, rejected, written, first_at, last_at)
  SELECT device_id, timestamptz 'epoch' + hour * interval '1 hour', sum(stored), sum(merged), sum(duplicate), sum(dead_lettered),
    sum(rejected), sum(written), ${instant('min(first_us)')}, ${instant('max(last_us)')}
  FROM unnest($3::text[], $4::int[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[])
    AS entry (device_id, hour, stored, merged, duplicate, dead_lettered, rejected, written, first_us, last_us)
  WHERE EXISTS (SELECT FROM turn)
  GROUP BY device_id, hour ORDER BY device_id, hour
  ON CONFLICT (device_id, hour) DO UPDATE SET
    ${ADD_TO_ROW_SQL}`;

const NOTE_WRITTEN_SQL = `
  INSERT INTO ledger AS l (device_id, hour, written)
  SELECT device_id, date_trunc('hour', timestamptz 'epoch' + $2 * interval '1 second'), count(*) FROM unnest($1::text[]) AS device_id
  GROUP BY device_id ORDER BY device_id
  ON CONFLICT (device_id, hour) DO UPDATE SET written = l.written + excluded.written`;

/**
 * Notes rows that are stored in the transaction of `session` and were received, and counted, long ago: replayed letters.
 * @param deviceIds one for each row
 * @param ingestionUs what they have as `ingestion_timestamp`, epoch microseconds
 */
export async function noteWritten(session: Session, deviceIds: readonly string[], ingestionUs: number): Promise<void> {
  if (deviceIds.length > 0)
    await session.execute(NOTE_WRITTEN_SQL, [deviceIds, Math.floor(ingestionUs / MICROS_PER_SECOND)]);
}

export class LedgerStore implements LedgerSink {
  readonly #database: Database;
  readonly #writer = randomUUID();
  #part = 1;
  /** Ids that nobody has heard of and that have a row in an hour; of the hours that are being written. */
  readonly #strangers = new Map<number, Set<string>>();

  constructor(database: Database) {
    this.#database = database;
  }

  async add(entries: LedgerEntries): Promise<void> {
    const deviceIds = await this.#admittedIds(entries);
    await this.#database.execute(ADD_SQL, [
      this.#writer,
      this.#part,
      deviceIds,
      entries.hours,
      entries.stored,
      entries.merged,
      entries.duplicate,
      entries.deadLettered,
      entries.rejected,
      entries.written,
      entries.firstUs,
      entries.lastUs,
    ]);
    this.#part++;
  }

  /** A stranger who makes up ids must not make the table grow: beyond a bound they count as not known. */
  async #admittedIds({ deviceIds, hours, hearsay }: LedgerEntries): Promise<string[]> {
    if (!hearsay.includes(true)) return deviceIds;
    const heard = [...new Set(deviceIds.filter((_, index) => hearsay[index]))];
    const known = new Set((await this.#database.query(KNOWN_SQL, [heard])).map((row) => row['device_id'] as string));
    const newest = Math.max(...hours);
    for (const hour of this.#strangers.keys()) if (hour < newest - 48) this.#strangers.delete(hour);
    return deviceIds.map((id, index) => {
      if (!hearsay[index] || id === '' || known.has(id)) return id;
      return this.#admits(hours[index] as number, id) ? id : '';
    });
  }

  #admits(hour: number, id: string): boolean {
    let strangers = this.#strangers.get(hour);
    if (strangers === undefined) this.#strangers.set(hour, (strangers = new Set()));
    if (strangers.size < MAX_STRANGERS_PER_HOUR) strangers.add(id);
    return strangers.has(id);
  }
}
