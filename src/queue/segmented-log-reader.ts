/** Reads a log from a sequence number on, through all its segments, as far as it is durable. */
import { type FileHandle, open } from 'node:fs/promises';
import type { Frame } from './frame.js';
import type { SegmentedLog } from './segmented-log.js';
import { type Segment, SegmentReader, type Tally } from './segment.js';

interface Place {
  readonly segment: Segment;
  readonly file: FileHandle;
  reader: SegmentReader;
}

export class SegmentedLogReader {
  readonly #log: SegmentedLog;
  readonly #held: (segment: Segment) => Tally;
  #place: Place | undefined;
  #lastSequence: number;
  #damaged = false;

  /**
   * @param afterSequence the frame behind this one is the first
   * @param held what has been taken from a segment and is not acknowledged; asked for when damage is met
   */
  constructor(log: SegmentedLog, afterSequence: number, held: (segment: Segment) => Tally) {
    this.#log = log;
    this.#lastSequence = afterSequence;
    this.#held = held;
  }

  /** The next frame if it is in memory; otherwise `advance` has to be called. */
  take(): { segment: Segment; frame: Frame } | undefined {
    const place = this.#place;
    if (place === undefined || this.#damaged) return undefined;
    for (;;) {
      const frame = place.reader.take();
      if (frame === 'more') return undefined;
      if (frame === 'damaged') {
        this.#damaged = true;
        return undefined;
      }
      if (frame.sequence <= this.#lastSequence) continue;
      this.#lastSequence = frame.sequence;
      return { segment: place.segment, frame };
    }
  }

  /**
   * Reads in more; false when there is nothing more at present.
   * @throws the error of the system when reading fails; the same call may be repeated
   */
  async advance(): Promise<boolean> {
    const place = this.#place;
    if (place === undefined) return await this.#enter(this.#log.segmentOf(this.#lastSequence + 1));
    if (this.#damaged) return await this.#leapOverDamage(place);
    // Asked before the size, so that bytes appended just before the segment was sealed are not left behind.
    const next = this.#log.isActive(place.segment) ? undefined : this.#log.segmentAfter(place.segment);
    const limit = place.segment.sizeBytes;
    if (place.reader.offset < limit) {
      this.#damaged = !(await place.reader.fill(limit));
      return true;
    }
    return await this.#enter(next);
  }

  async close(): Promise<void> {
    const place = this.#place;
    this.#place = undefined;
    await place?.file.close();
  }

  async #enter(segment: Segment | undefined): Promise<boolean> {
    if (segment === undefined) return false;
    const file = await open(segment.path, 'r');
    await this.close();
    this.#place = { segment, file, reader: readerAt(segment, file, 0) };
    return true;
  }

  async #leapOverDamage(place: Place): Promise<boolean> {
    const { segment, reader } = place;
    const resumeOffset =
      segment.damage.get(reader.offset) ??
      (await this.#log.repair(segment, reader.offset, this.#lastSequence, this.#held(segment)));
    place.reader = readerAt(segment, place.file, resumeOffset);
    this.#damaged = false;
    return true;
  }
}

function readerAt({ salt }: Segment, file: FileHandle, offset: number): SegmentReader {
  return new SegmentReader(file, { offset, salt, transient: false });
}
