/** One file of the log: frames one after another, in the order of their sequence numbers, nothing else. */
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { type Frame, FRAME_HEAD_BYTES, decodeFrame, decodeFrameHead } from './frame.js';

/** What a number of messages amounts to. */
export interface Tally {
  messages: number;
  /** Messages of unknown size count as one record. */
  records: number;
  bodyBytes: number;
  /** Bytes on disk, heads and headers included. */
  frameBytes: number;
}

export interface Segment {
  readonly path: string;
  /** Sequence number of the first frame; also the name of the file. */
  readonly firstSequence: number;
  /** Bytes that are durable; readers go no further. */
  sizeBytes: number;
  /** Messages not acknowledged. */
  readonly pending: Tally;
}

export function zeroTally(): Tally {
  return { messages: 0, records: 0, bodyBytes: 0, frameBytes: 0 };
}

/** Adds `amount` to `tally`, `sign` = -1 takes it away. */
export function addTally(tally: Tally, amount: Readonly<Tally>, sign: 1 | -1 = 1): void {
  tally.messages += sign * amount.messages;
  tally.records += sign * amount.records;
  tally.bodyBytes += sign * amount.bodyBytes;
  tally.frameBytes += sign * amount.frameBytes;
}

const SEGMENT_NAME = /^(\d{16})\.segment$/;

export function segmentPath(directory: string, firstSequence: number): string {
  return join(directory, `${String(firstSequence).padStart(16, '0')}.segment`);
}

/** The first sequence number that a file name tells, or undefined when the file is not a segment. */
export function segmentSequence(fileName: string): number | undefined {
  const digits = SEGMENT_NAME.exec(fileName)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Reads at `position` until the buffer is full or the file ends; returns the bytes read. */
export async function readFully(file: FileHandle, buffer: Buffer, position: number): Promise<number> {
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

const READ_BYTES = 1024 * 1024;
const NOTHING = Buffer.alloc(0);

/**
 * Walks through the frames of one segment with one read for every megabyte, whatever the size of the messages:
 * `take` until it wants more, then `fill`, then `take` again.
 */
export class SegmentReader {
  readonly #file: FileHandle;
  /** Whether frames are only looked at, so that the next `fill` may overwrite the buffer. */
  readonly #transient: boolean;
  #buffer: Buffer = NOTHING;
  #bufferOffset: number;
  #at = 0;
  #neededBytes = FRAME_HEAD_BYTES;

  constructor(file: FileHandle, offset: number, options: { transient: boolean }) {
    this.#file = file;
    this.#bufferOffset = offset;
    this.#transient = options.transient;
  }

  /** Where in the file the next frame begins. */
  get offset(): number {
    return this.#bufferOffset + this.#at;
  }

  /** The next frame; `more` when it has not been read in yet; `damaged` when what stands here is not a frame. */
  take(): Frame | 'more' | 'damaged' {
    const available = this.#buffer.length - this.#at;
    if (available < FRAME_HEAD_BYTES) return 'more';
    const head = decodeFrameHead(this.#buffer, this.#at);
    if (head === undefined) return 'damaged';
    if (available < head.frameBytes) {
      this.#neededBytes = head.frameBytes;
      return 'more';
    }
    const frame = decodeFrame(this.#buffer, this.#at, head);
    if (frame === undefined) return 'damaged';
    this.#at += head.frameBytes;
    this.#neededBytes = FRAME_HEAD_BYTES;
    return frame;
  }

  /** Reads on, up to `limit` in the file; false when no whole frame is there before it. */
  async fill(limit: number): Promise<boolean> {
    const offset = this.offset;
    const available = limit - offset;
    if (available < this.#neededBytes) return false;
    const length = Math.min(available, Math.max(this.#neededBytes, READ_BYTES));
    const reusable = this.#transient && this.#buffer.buffer.byteLength >= length && this.#buffer !== NOTHING;
    const buffer = reusable ? Buffer.from(this.#buffer.buffer, 0, length) : allocate(length, this.#transient);
    // Until the read is complete there is nothing in the buffer that could be taken.
    this.#buffer = NOTHING;
    this.#bufferOffset = offset;
    this.#at = 0;
    const bytesRead = await readFully(this.#file, buffer, offset);
    this.#buffer = buffer.subarray(0, bytesRead);
    return bytesRead >= this.#neededBytes;
  }
}

/** Buffers to be reused own their memory; others may be cut from Node's pool. */
function allocate(length: number, reused: boolean): Buffer {
  return reused ? Buffer.allocUnsafeSlow(Math.max(length, READ_BYTES)).subarray(0, length) : Buffer.allocUnsafe(length);
}
