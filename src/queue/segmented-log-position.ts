/**
 * How far a log has been acknowledged: one number in a file of two blocks, written alternately, so that a torn write
 * spoils one block and the other still has the position before. Overwriting in place needs no free space (a full disk
 * must not keep the consumer from acknowledging, which is what frees space) and no change of metadata.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { readFully } from './segment.js';

const BLOCK_BYTES = 4096;
const SLOT_BYTES = 16;
const MAGIC = 0xf544_5150;
const TWO_POW_32 = 2 ** 32;

/** 0: nothing acknowledged yet. Positions never go back, so the higher of two valid slots is the later one. */
export class SegmentedLogPosition {
  readonly #file: FileHandle;
  readonly #block = Buffer.alloc(BLOCK_BYTES);
  #slot: 0 | 1;
  #sequence: number;
  /** Neither slot could be read although the file has been written to: everything kept will be delivered again. */
  readonly wasUnreadable: boolean;

  private constructor(file: FileHandle, slots: readonly [number, number], wasUnreadable: boolean) {
    this.#file = file;
    this.#sequence = Math.max(slots[0], slots[1], 0);
    this.#slot = slots[0] > slots[1] ? 1 : 0;
    this.wasUnreadable = wasUnreadable;
  }

  /** Opens the file, creating it when there is none. The caller makes the directory durable. */
  static async open(path: string): Promise<SegmentedLogPosition> {
    const file = await openOrCreate(path);
    try {
      const blocks = Buffer.alloc(2 * BLOCK_BYTES);
      const length = await readFully(file, blocks, 0);
      const slots = [decodeSlot(blocks, 0), decodeSlot(blocks, BLOCK_BYTES)] as const;
      const wasUnreadable = slots[0] < 0 && slots[1] < 0 && blocks.subarray(0, length).some((byte) => byte !== 0);
      if (length < blocks.length) {
        await file.write(blocks, length, blocks.length - length, length);
        await file.sync();
      }
      return new SegmentedLogPosition(file, slots, wasUnreadable);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Sequence number of the last acknowledged message. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Moves the position; resolves once it is durable. One call at a time. */
  async moveTo(sequence: number): Promise<void> {
    encodeSlot(this.#block, sequence);
    // A failed write leaves this slot in doubt: the next attempt goes into the same one, the other stays intact.
    const { bytesWritten } = await this.#file.write(this.#block, 0, BLOCK_BYTES, this.#slot * BLOCK_BYTES);
    if (bytesWritten !== BLOCK_BYTES) throw Object.assign(new Error('short write'), { code: 'EIO' });
    await this.#file.datasync();
    this.#slot = this.#slot === 0 ? 1 : 0;
    this.#sequence = sequence;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

async function openOrCreate(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return await open(path, 'wx+');
  }
}

function encodeSlot(block: Buffer, sequence: number): void {
  block.writeUInt32BE(MAGIC, 0);
  block.writeUInt32BE(Math.floor(sequence / TWO_POW_32), 4);
  block.writeUInt32BE(sequence % TWO_POW_32, 8);
  block.writeUInt32BE(crc32(block.subarray(0, 12)), 12);
}

/** The sequence number in the slot at `at`, or -1 when there is none. */
function decodeSlot(blocks: Buffer, at: number): number {
  const slot = blocks.subarray(at, at + SLOT_BYTES);
  if (slot.readUInt32BE(0) !== MAGIC || slot.readUInt32BE(12) !== crc32(slot.subarray(0, 12))) return -1;
  return slot.readUInt32BE(4) * TWO_POW_32 + slot.readUInt32BE(8);
}
