/** Rows of data files, read and validated as the pipeline reads them, all in memory: a recording is judged in time order. */
import type { PlannedFile } from '../gateway/import/plan-import.js';
import { readBody } from '../pipeline/read-body.js';
import { isRejection, readRecord, type RecordContext } from '../pipeline/read-record.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { ReadingBatch } from '../telemetry/reading-batch.js';

const CHUNK_ROWS = 2000;
/** About a gigabyte of readings. */
const MOST_RECORDS = 5_000_000;
/** The year 2200: what is recorded has been received, whatever its date. */
const RECEIVED_US = 7_258_118_400e6;

export class Recording {
  readonly batch = new ReadingBatch(CHUNK_ROWS);
  /** Rows that are no records: without time, with an unknown device, not numbers. */
  rejected = 0;

  /** @throws OperationalError `file_unreadable`, `recording_too_long` */
  async read({ path, source, mapper, envelope }: PlannedFile): Promise<void> {
    for await (const rows of source.rows()) {
      const texts = rows.map((row) => mapper.map(row).json);
      for (let at = 0; at < texts.length; at += CHUNK_ROWS)
        this.#take(`${envelope}${texts.slice(at, at + CHUNK_ROWS).join(',')}]}`);
      if (this.batch.length > MOST_RECORDS)
        throw new OperationalError(
          'recording_too_long',
          `${path} brings the recording to more than ${MOST_RECORDS} records; give fewer files, or a file a device`,
        );
    }
  }

  #take(text: string): void {
    const defaults: RecordContext = { receivedUs: RECEIVED_US, sourceSystem: 'recording' };
    const body = readBody(Buffer.from(text), 'application/json', defaults);
    // The mapper has written it.
    if (isRejection(body)) throw new Error(body.message);
    this.batch.reserve(body.records.length);
    for (const record of body.records) if (readRecord(record, body.context, this.batch) !== undefined) this.rejected++;
  }
}
