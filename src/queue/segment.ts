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

/** What the name of the file tells. */
export interface SegmentName {
  /** Sequence number of the first frame. */
  readonly firstSequence: number;
  /** Random; 32 bits. Frames of this segment are known by it. */
  readonly salt: number;
}

export interface Segment extends SegmentName {
  readonly path: string;
  /** Bytes that are durable; readers go no further. */
  sizeBytes: number;
  /** Messages not acknowledged. */
  readonly pending: Tally;
  /** Damage that has been reported: where it begins, and where to read on. */
  readonly damage: Map<number, number>;
}

export function createSegment(directory: string, name: SegmentName, sizeBytes: number): Segment {
  return { ...name, path: segmentPath(directory, name), sizeBytes, pending: zeroTally(), damage: new Map() };
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

const SEGMENT_NAME = /^(\d{16})-([0-9a-f]{8})\.segment$/;

function segmentPath(directory: string, { firstSequence, salt }: SegmentName): string {
  return join(directory, `${String(firstSequence).padStart(16, '0')}-${salt.toString(16).padStart(8, '0')}.segment`);
}

/** What a file name tells, or undefined when the file is not a segment. */
export function parseSegmentName(fileName: string): SegmentName | undefined {
  const parts = SEGMENT_NAME.exec(fileName);
  return parts === null
    ? undefined
    : { firstSequence: Number(parts[1]), salt: Number.parseInt(parts[2] as string, 16) };
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
  readonly #salt: number;
  /** Whether frames are only looked at, so that the next `fill` may overwrite the buffer. */
  readonly #transient: boolean;
  #buffer: Buffer = NOTHING;
  #bufferOffset: number;
  #at = 0;
  #neededBytes = FRAME_HEAD_BYTES;

  constructor(file: FileHandle, from: { offset: number; salt: number; transient: boolean }) {
    this.#file = file;
    this.#bufferOffset = from.offset;
    this.#salt = from.salt;
    this.#transient = from.transient;
  }

  /** Where in the file the next frame begins. */
  get offset(): number {
    return this.#bufferOffset + this.#at;
  }

  /** The next frame; `more` when it has not been read in yet; `damaged` when what stands here is not a frame. */
  take(): Frame | 'more' | 'damaged' {
    const available = this.#buffer.length - this.#at;
    if (available < FRAME_HEAD_BYTES) return 'more';
    const head = decodeFrameHead(this.#buffer, this.#at, this.#salt);
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
