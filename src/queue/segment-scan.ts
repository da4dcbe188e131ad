/** What a segment holds, established by reading all of it: counts, and where it is damaged. */
import type { FileHandle } from 'node:fs/promises';
import {
  type FrameHead,
  FRAME_HEAD_BYTES,
  MAGIC_BYTES,
  decodeFrame,
  decodeFrameHead,
  newerFormatVersion,
} from './frame.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { SegmentReader, type Tally, addTally, readFully, zeroTally } from './segment.js';

export interface DamagedSpan {
  readonly offset: number;
  readonly bytes: number;
  /** Unacknowledged messages that are missing before the next good frame, by their sequence numbers. */
  readonly messages: number;
}

export interface SegmentScan {
  /** Frames after the acknowledged position. */
  readonly pending: Tally;
  /** Of the last good frame; the sequence before the segment when it has none. */
  readonly lastSequence: number;
  /** Where the last good frame ends; what follows is torn off or damaged. */
  readonly endOffset: number;
  /** Damage with good frames behind it. A gap in the sequence without bytes of its own has `bytes` 0. */
  readonly damaged: readonly DamagedSpan[];
}

export interface ScanRange {
  /** Of the segment. */
  readonly salt: number;
  readonly startOffset: number;
  readonly limitOffset: number;
  /** Frames up to this sequence number are not pending. */
  readonly acknowledgedThrough: number;
  /** Sequence number of the last frame before the range. */
  readonly previousSequence: number;
}

export function frameTally(frame: { records: number | null; body: Uint8Array; frameBytes: number }): Tally {
  return {
    messages: 1,
    records: frame.records ?? 1,
    bodyBytes: frame.body.byteLength,
    frameBytes: frame.frameBytes,
  };
}

/**
 * Reads all frames of a range and verifies their checksums.
 * @throws OperationalError `queue_format_newer` when a newer program has written the file
 */
export async function scanSegment(file: FileHandle, range: ScanRange): Promise<SegmentScan> {
  const pending = zeroTally();
  const damaged: DamagedSpan[] = [];
  let lastSequence = range.previousSequence;
  let endOffset = range.startOffset;
  const readerAt = (offset: number) => new SegmentReader(file, { offset, salt: range.salt, transient: true });
  let reader = readerAt(range.startOffset);
  for (;;) {
    const frame = reader.take();
    if (frame === 'more' && (await reader.fill(range.limitOffset))) continue;
    if (typeof frame === 'object' && frame.sequence > lastSequence) {
      const missing = frame.sequence - 1 - Math.max(lastSequence, range.acknowledgedThrough);
      const bytes = reader.offset - frame.frameBytes - endOffset;
      if (missing > 0 || bytes > 0) damaged.push({ offset: endOffset, bytes, messages: Math.max(missing, 0) });
      if (frame.sequence > range.acknowledgedThrough) addTally(pending, frameTally(frame));
      lastSequence = frame.sequence;
      endOffset = reader.offset;
      continue;
    }
    if (endOffset >= range.limitOffset) break;
    await refuseNewerFormat(file, endOffset, range);
    const next = await findFrame(file, { ...range, startOffset: endOffset + 1, previousSequence: lastSequence });
    if (next === undefined) break;
    reader = readerAt(next);
  }
  return { pending, lastSequence, endOffset, damaged };
}

async function refuseNewerFormat(file: FileHandle, offset: number, range: ScanRange): Promise<void> {
  if (range.limitOffset - offset < FRAME_HEAD_BYTES) return;
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  await readFully(file, head, offset);
  const version = newerFormatVersion(head, range.salt);
  if (version === undefined) return;
  throw new OperationalError(
    'queue_format_newer',
    `the queue was written in format ${version} by a newer version of downhole: start that version, or empty the queue with it first`,
  );
}

const SEARCH_BYTES = 1024 * 1024;

/** Offset of the first whole, valid frame of the range that continues the sequence; undefined without one. */
async function findFrame(
  file: FileHandle,
  { startOffset, limitOffset: limit, previousSequence, salt }: ScanRange,
): Promise<number | undefined> {
  const buffer = Buffer.allocUnsafe(SEARCH_BYTES);
  for (let offset = startOffset; limit - offset >= FRAME_HEAD_BYTES; offset += SEARCH_BYTES - FRAME_HEAD_BYTES + 1) {
    const length = await readFully(file, buffer.subarray(0, Math.min(SEARCH_BYTES, limit - offset)), offset);
    const chunk = buffer.subarray(0, length);
    for (let at = chunk.indexOf(MAGIC_BYTES); at >= 0; at = chunk.indexOf(MAGIC_BYTES, at + 1)) {
      if (at + FRAME_HEAD_BYTES > length) break;
      const head = decodeFrameHead(chunk, at, salt);
      if (head === undefined || head.sequence <= previousSequence || offset + at + head.frameBytes > limit) continue;
      if (await isWhole(file, offset + at, head)) return offset + at;
    }
  }
  return undefined;
}

async function isWhole(file: FileHandle, offset: number, head: FrameHead): Promise<boolean> {
  const bytes = Buffer.allocUnsafe(head.frameBytes);
  return (await readFully(file, bytes, offset)) === bytes.length && decodeFrame(bytes, 0, head) !== undefined;
}
