/**
 * One message on disk: a fixed head of 32 bytes, the headers as JSON, the body. Big endian.
 *
 *     0  magic F5 44 51 and the version of the format   16  bytes of the body
 *     4  sequence number, 64 bits                       20  records in the body, FFFFFFFF when unknown
 *    12  bytes of the headers                           24  CRC-32 of headers and body
 *                                                       28  CRC-32 of bytes 0-27, salted
 *
 * The magic begins with a byte that UTF-8 never has, so the next frame can be found again behind damage; the head has
 * a checksum of its own, so that a damaged length is never followed. That checksum starts from the salt of the segment, so
 * that a body made to look like frames, or an old block of the disk, is not taken for one.
 */
import { crc32 } from 'node:zlib';

export const FRAME_HEAD_BYTES = 32;
const UNKNOWN_RECORDS = 0xffff_ffff;
/** Above the largest request body that the configuration allows; what claims to be longer is damage. */
export const MAX_FRAME_BYTES = 512 * 1024 * 1024;

const FORMAT_VERSION = 1;
const MAGIC_PREFIX = 0xf5_44_51;
const MAGIC = MAGIC_PREFIX * 256 + FORMAT_VERSION;
export const MAGIC_BYTES = Buffer.from([0xf5, 0x44, 0x51, FORMAT_VERSION]);

const SEQUENCE_AT = 4;
const HEADERS_LENGTH_AT = 12;
const BODY_LENGTH_AT = 16;
const RECORDS_AT = 20;
const PAYLOAD_CRC_AT = 24;
const HEAD_CRC_AT = 28;
const TWO_POW_32 = 2 ** 32;

/** A message on its way to the disk. */
export interface LogEntry {
  readonly headersJson: string;
  /** UTF-8 length of `headersJson`. */
  readonly headersBytes: number;
  readonly body: Uint8Array;
  readonly records: number | null;
}

export interface FrameHead {
  readonly sequence: number;
  readonly headersBytes: number;
  readonly bodyBytes: number;
  readonly records: number | null;
  readonly payloadCrc: number;
  readonly frameBytes: number;
}

/** A message as read: `headers` and `body` are views into the buffer it was read into. */
export interface Frame {
  readonly sequence: number;
  readonly records: number | null;
  readonly headers: Buffer;
  readonly body: Buffer;
  readonly frameBytes: number;
}

export function frameBytes(entry: LogEntry): number {
  return FRAME_HEAD_BYTES + entry.headersBytes + entry.body.byteLength;
}

/** Writes head and headers at `at`; the body follows them on disk. Returns the position after the headers. */
export function encodeFrameHead(target: Buffer, at: number, sequence: number, entry: LogEntry, salt: number): number {
  const headersAt = at + FRAME_HEAD_BYTES;
  const end = headersAt + target.write(entry.headersJson, headersAt, 'utf8');
  target.writeUInt32BE(MAGIC, at);
  target.writeUInt32BE(Math.floor(sequence / TWO_POW_32), at + SEQUENCE_AT);
  target.writeUInt32BE(sequence % TWO_POW_32, at + SEQUENCE_AT + 4);
  target.writeUInt32BE(entry.headersBytes, at + HEADERS_LENGTH_AT);
  target.writeUInt32BE(entry.body.byteLength, at + BODY_LENGTH_AT);
  target.writeUInt32BE(entry.records ?? UNKNOWN_RECORDS, at + RECORDS_AT);
  target.writeUInt32BE(crc32(entry.body, crc32(target.subarray(headersAt, end))), at + PAYLOAD_CRC_AT);
  target.writeUInt32BE(crc32(target.subarray(at, at + HEAD_CRC_AT), salt), at + HEAD_CRC_AT);
  return end;
}

/** The head at `at`, or undefined when there is none. The caller has made sure of 32 bytes. */
export function decodeFrameHead(source: Buffer, at: number, salt: number): FrameHead | undefined {
  if (source.readUInt32BE(at) !== MAGIC) return undefined;
  if (source.readUInt32BE(at + HEAD_CRC_AT) !== crc32(source.subarray(at, at + HEAD_CRC_AT), salt)) return undefined;
  const headersBytes = source.readUInt32BE(at + HEADERS_LENGTH_AT);
  const bodyBytes = source.readUInt32BE(at + BODY_LENGTH_AT);
  const length = FRAME_HEAD_BYTES + headersBytes + bodyBytes;
  if (length > MAX_FRAME_BYTES) return undefined;
  const records = source.readUInt32BE(at + RECORDS_AT);
  return {
    sequence: source.readUInt32BE(at + SEQUENCE_AT) * TWO_POW_32 + source.readUInt32BE(at + SEQUENCE_AT + 4),
    headersBytes,
    bodyBytes,
    records: records === UNKNOWN_RECORDS ? null : records,
    payloadCrc: source.readUInt32BE(at + PAYLOAD_CRC_AT),
    frameBytes: length,
  };
}

/** The frame whose head was decoded at `at`, or undefined when its payload does not match the checksum. */
export function decodeFrame(source: Buffer, at: number, head: FrameHead): Frame | undefined {
  const headersAt = at + FRAME_HEAD_BYTES;
  const bodyAt = headersAt + head.headersBytes;
  const end = at + head.frameBytes;
  if (crc32(source.subarray(headersAt, end)) !== head.payloadCrc) return undefined;
  return {
    sequence: head.sequence,
    records: head.records,
    headers: source.subarray(headersAt, bodyAt),
    body: source.subarray(bodyAt, end),
    frameBytes: head.frameBytes,
  };
}

/**
 * The version of the format if a newer program wrote the head at the beginning of `head`, otherwise undefined.
 * Every later format keeps magic and checksum of the head where they are, so that a spoilt version is not taken for one.
 */
export function newerFormatVersion(head: Buffer, salt: number): number | undefined {
  const version = head[3] as number;
  if (head.readUIntBE(0, 3) !== MAGIC_PREFIX || version <= FORMAT_VERSION) return undefined;
  return head.readUInt32BE(HEAD_CRC_AT) === crc32(head.subarray(0, HEAD_CRC_AT), salt) ? version : undefined;
}
