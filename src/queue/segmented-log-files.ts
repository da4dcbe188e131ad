/** The writes of the log: a group of frames, a directory, the copy of a damaged span. */
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FRAME_HEAD_BYTES, type LogEntry, encodeFrameHead } from './frame.js';
import { type Segment, readFully } from './segment.js';

/** Smaller bodies are copied next to their heads: that is cheaper than one more element in the vector. */
const COPY_BODY_BYTES = 16 * 1024;
/** Well below IOV_MAX (1024 on Linux). */
const MAX_VECTOR = 512;
const COPY_CHUNK_BYTES = 1024 * 1024;

/**
 * Writes the frames of `entries` behind what is durable, numbered from `firstSequence`. Not yet durable themselves.
 * Large bodies are written from where they are, without a copy.
 */
export async function writeGroup(
  file: FileHandle,
  segment: Segment,
  firstSequence: number,
  entries: readonly LogEntry[],
): Promise<void> {
  await writeFully(file, encodeGroup(firstSequence, entries, segment.salt), segment.sizeBytes);
}

function encodeGroup(firstSequence: number, entries: readonly LogEntry[], salt: number): Buffer[] {
  let stagedBytes = 0;
  for (const { headersBytes, body } of entries) {
    stagedBytes += FRAME_HEAD_BYTES + headersBytes + (body.byteLength < COPY_BODY_BYTES ? body.byteLength : 0);
  }
  const staging = Buffer.allocUnsafe(stagedBytes);
  const vector: Buffer[] = [];
  let from = 0;
  let to = 0;
  for (const [index, entry] of entries.entries()) {
    const { body } = entry;
    to = encodeFrameHead(staging, to, firstSequence + index, entry, salt);
    if (body.byteLength < COPY_BODY_BYTES) {
      staging.set(body, to);
      to += body.byteLength;
      continue;
    }
    vector.push(staging.subarray(from, to), Buffer.from(body.buffer, body.byteOffset, body.byteLength));
    from = to;
  }
  if (to > from) vector.push(staging.subarray(from, to));
  return vector;
}

/** writev may write less than asked (a signal, a nearly full disk): goes on until all is written or the system says why not. */
async function writeFully(file: FileHandle, buffers: readonly Buffer[], position: number): Promise<void> {
  let rest = buffers;
  let offset = position;
  while (rest.length > 0) {
    const { bytesWritten } = await file.writev(rest.slice(0, MAX_VECTOR), offset);
    if (bytesWritten === 0) throw Object.assign(new Error('the system wrote nothing'), { code: 'EIO' });
    offset += bytesWritten;
    rest = withoutFirst(rest, bytesWritten);
  }
}

function withoutFirst(buffers: readonly Buffer[], bytes: number): Buffer[] {
  let left = bytes;
  let index = 0;
  while (index < buffers.length && left >= (buffers[index] as Buffer).length) {
    left -= (buffers[index] as Buffer).length;
    index++;
  }
  const rest = buffers.slice(index);
  if (left > 0) rest[0] = (rest[0] as Buffer).subarray(left);
  return rest;
}

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Copies a span of a file into a file of its own, durably. An earlier copy of the same span is overwritten. */
export async function setAside(
  source: FileHandle,
  span: { readonly offset: number; readonly bytes: number },
  path: string,
): Promise<void> {
  const copy = await open(path, 'w');
  try {
    const buffer = Buffer.allocUnsafe(Math.min(COPY_CHUNK_BYTES, span.bytes));
    for (let done = 0; done < span.bytes; done += buffer.length) {
      const length = await readFully(source, buffer.subarray(0, span.bytes - done), span.offset + done);
      await writeFully(copy, [buffer.subarray(0, length)], done);
      if (length < buffer.length) break;
    }
    await copy.sync();
  } finally {
    await copy.close();
  }
}

/** More than a nearly full disk has left over, and little enough to be tried every second. */
const TRIAL_BYTES = 64 * 1024;

/** Whether the directory takes writing, tried out. Only to be asked when there is a doubt. */
export async function canWriteInto(directory: string): Promise<boolean> {
  const path = join(directory, 'trial');
  try {
    const file = await open(path, 'w');
    try {
      await writeFully(file, [Buffer.alloc(TRIAL_BYTES)], 0);
      await file.datasync();
    } finally {
      await file.close();
      await rm(path, { force: true });
    }
    return true;
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).code !== 'string') throw error;
    return false; // why not was said when a publication was refused
  }
}
