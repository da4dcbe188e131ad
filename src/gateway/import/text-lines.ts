/** The lines of a text file, plain or gzipped, with their byte offsets; memory is bounded whatever the lines are. */
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { OperationalError } from '../../telemetry/operational-error.js';

export interface TextLine {
  /** Without its end; the first part of it where it is longer than a line may be. */
  readonly bytes: Buffer;
  /** Bytes that were left out of an overlong line. */
  readonly omittedBytes: number;
  /** From 1. */
  readonly line: number;
  /** Offset of the byte after the line's end. */
  readonly nextOffset: number;
}

/** A longer line is no record of anybody's; of it so much is kept. */
const MAX_LINE_BYTES = 1_048_576;
const KEPT_BYTES = 65_536;
const CHUNK_BYTES = 262_144;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export class TextFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly #gzipped: boolean;
  #readBytes = 0;

  constructor(path: string, sizeBytes: number) {
    this.path = path;
    this.sizeBytes = sizeBytes;
    this.#gzipped = path.toLowerCase().endsWith('.gz');
  }

  /** Share of the file's bytes that the present pass has read. */
  readShare(): number {
    return this.sizeBytes === 0 ? 1 : this.#readBytes / this.sizeBytes;
  }

  /**
   * The lines from a position on, those of one chunk at a time.
   * @throws OperationalError `file_unreadable`
   */
  async *lines(fromOffset = 0, fromLine = 1): AsyncGenerator<TextLine[]> {
    let line = fromLine;
    let offset = fromOffset;
    let rest: Buffer = Buffer.alloc(0);
    let omitted = 0;
    const finish = (end: number, bytes: Buffer): TextLine => {
      const trimmed = bytes.at(-1) === CARRIAGE_RETURN ? bytes.subarray(0, -1) : bytes;
      return { bytes: trimmed, omittedBytes: omitted, line: line++, nextOffset: end };
    };
    for await (const chunk of this.#chunks(fromOffset)) {
      const lines: TextLine[] = [];
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
        const part = chunk.subarray(start, end);
        lines.push(bounded(finish(offset + end + 1, rest.length === 0 ? part : Buffer.concat([rest, part]))));
        rest = Buffer.alloc(0);
        omitted = 0;
        start = end + 1;
      }
      rest = Buffer.concat([rest, chunk.subarray(start)]);
      if (rest.length > MAX_LINE_BYTES) {
        omitted += rest.length - KEPT_BYTES;
        rest = Buffer.from(rest.subarray(0, KEPT_BYTES));
      }
      offset += chunk.length;
      yield lines;
    }
    if (rest.length > 0) yield [bounded(finish(offset, rest))];
  }

  async *#chunks(fromOffset: number): AsyncGenerator<Buffer> {
    this.#readBytes = 0;
    try {
      if (!this.#gzipped) {
        this.#readBytes = fromOffset;
        for await (const chunk of createReadStream(this.path, { start: fromOffset, highWaterMark: CHUNK_BYTES })) {
          this.#readBytes += (chunk as Buffer).length;
          yield chunk as Buffer;
        }
        return;
      }
      const packed = createReadStream(this.path, { highWaterMark: CHUNK_BYTES });
      packed.on('data', (chunk) => (this.#readBytes += chunk.length));
      // A failure comes out of the iteration below; here it only has to close both streams.
      const unpacked = pipeline(packed, createGunzip({ chunkSize: CHUNK_BYTES }), () => undefined);
      let skip = fromOffset;
      for await (const chunk of unpacked) {
        const bytes = chunk as Buffer;
        if (skip < bytes.length) yield bytes.subarray(skip);
        skip = Math.max(0, skip - bytes.length);
      }
    } catch (error) {
      throw fileError(this.path, error);
    }
  }
}

/** Of an overlong line, in one chunk or in many, the first part. */
function bounded(line: TextLine): TextLine {
  if (line.omittedBytes === 0 && line.bytes.length <= MAX_LINE_BYTES) return line;
  const omittedBytes = line.omittedBytes + Math.max(0, line.bytes.length - KEPT_BYTES);
  return { ...line, bytes: Buffer.from(line.bytes.subarray(0, KEPT_BYTES)), omittedBytes };
}

/** An error of the file system or of gzip as an OperationalError; any other is thrown on. */
export function fileError(path: string, error: unknown): OperationalError {
  if (!(error instanceof Error && 'code' in error)) throw error;
  // Found before the first row is read.
  if (error.code === 'ENOENT')
    return new OperationalError('file_unreadable', `${path} cannot be read: there is no such file; correct the name`, {
      cause: error,
    });
  const reason = error.code === 'Z_BUF_ERROR' ? 'the gzip file ends too early' : error.message;
  return new OperationalError(
    'file_unreadable',
    `${path} cannot be read: ${reason}. What was read of it before is imported; put the file right and run the import again.`,
    { cause: error },
  );
}
