/** Rows of data files, read and validated as the pipeline reads them, all in memory: a recording is judged in time order. */
import type { PlannedFile } from '../gateway/import/plan-import.js';
import type { SourceRow } from '../gateway/import/source-row.js';
import { readBody } from '../pipeline/read-body.js';
import { isRejection, readRecord, type RecordContext } from '../pipeline/read-record.js';
import type { RejectionCode } from '../telemetry/rejection.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { ReadingBatch } from '../telemetry/reading-batch.js';

const CHUNK_ROWS = 2000;
/** About a gigabyte of readings. */
const MOST_RECORDS = 5_000_000;
/** The year 2200: what is recorded has been received, whatever its date. */
const RECEIVED_US = 7_258_118_400e6;

/** Rows that were refused for one reason, and what was wrong with the first of them, and where. */
export interface Refusal {
  rows: number;
  readonly first: string;
}

export class Recording {
  readonly batch = new ReadingBatch(CHUNK_ROWS);
  /** Rows that are no records, by the reason: without time, with an unknown device, not numbers. */
  readonly refusals = new Map<RejectionCode, Refusal>();

  get rejected(): number {
    return [...this.refusals.values()].reduce((sum, { rows }) => sum + rows, 0);
  }

  /** @throws OperationalError `file_unreadable`, `recording_too_long` */
  async read({ path, source, mapper, envelope }: PlannedFile): Promise<void> {
    for await (const rows of source.rows()) {
      for (let at = 0; at < rows.length; at += CHUNK_ROWS) {
        const some = rows.slice(at, at + CHUNK_ROWS);
        const texts = some.map((row) => mapper.map(row).json);
        this.#take(`${envelope}${texts.join(',')}]}`, (index) => `${path}:${(some[index] as SourceRow).line}`);
      }
      if (this.batch.length > MOST_RECORDS)
        throw new OperationalError(
          'recording_too_long',
          `${path} brings the recording to more than ${MOST_RECORDS} records; give fewer files, or a file a device`,
        );
    }
  }

  /** @param placeOf says where record number `index` of the text is to be found */
  #take(text: string, placeOf: (index: number) => string): void {
    const defaults: RecordContext = { receivedUs: RECEIVED_US, sourceSystem: 'recording' };
    const body = readBody(Buffer.from(text), 'application/json', defaults);
    // The mapper has written it.
    if (isRejection(body)) throw new Error(body.message);
    this.batch.reserve(body.records.length);
    for (const [index, record] of body.records.entries()) {
      const rejection = readRecord(record, body.context, this.batch);
      if (rejection === undefined) continue;
      const refusal = this.refusals.get(rejection.code);
      if (refusal !== undefined) refusal.rows++;
      else this.refusals.set(rejection.code, { rows: 1, first: `${placeOf(index)}: ${rejection.message}` });
    }
  }
}
