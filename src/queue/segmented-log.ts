/**
 * A durable, append-only log in a directory of segments. Concurrent appends are gathered into one write and one
 * fdatasync (group commit); an append resolves after it. One process at a time: the caller holds a lock.
 *
 * - Torn tail (a crash during a write): cut off on opening. It was never confirmed to anyone.
 * - Damage with good frames behind it: the span is copied into `<segment>.<offset>.damaged`, reported as
 *   `queue_damaged`, and the log goes on at the next good frame.
 * - A write that fails is taken back, so that a later append succeeds when there is space again. After a failed
 *   fdatasync nobody knows what the disk has: the segment is sealed where it was durable and a new one is begun.
 */
import { type FileHandle, open, readdir, rm, stat } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Events } from '../monitoring/events.js';
import { type LogEntry, frameBytes } from './frame.js';
import { type DamagedSpan, type SegmentScan, scanSegment } from './segment-scan.js';
import {
  type Segment,
  type SegmentName,
  type Tally,
  addTally,
  createSegment,
  parseSegmentName,
  zeroTally,
} from './segment.js';
import { setAside, syncDirectory, writeGroup } from './segmented-log-files.js';

export interface SegmentedLogOptions {
  readonly directory: string;
  /** For events. */
  readonly name: string;
  /** A segment is closed when the next write would make it longer. */
  readonly segmentBytes: number;
  /** Sequence number up to which nothing is to be delivered again, 0: nothing yet; undefined when nobody knows. */
  readonly acknowledgedThrough: number | undefined;
  readonly events: Events;
}

interface Append {
  readonly entries: readonly LogEntry[];
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface ActiveSegment {
  readonly segment: Segment;
  readonly file: FileHandle;
  /** The name of the file is not yet durable. */
  directoryPending: boolean;
}

/** Bounds the memory of one write; a single append may be larger. */
const MAX_GROUP_BYTES = 16 * 1024 * 1024;

export class SegmentedLog {
  readonly #options: SegmentedLogOptions;
  readonly #segments: Segment[] = [];
  readonly #pending = zeroTally();
  #active: ActiveSegment | undefined;
  #nextSequence: number;
  #tornBytes = 0;
  #queued: Append[] = [];
  #committing: Promise<void> | undefined;
  /** Called after every durable append. */
  onAppended: () => void = () => undefined;

  private constructor(options: SegmentedLogOptions) {
    this.#options = options;
    this.#nextSequence = (options.acknowledgedThrough ?? 0) + 1;
  }

  /**
   * Opens the directory and reads everything in it that is not acknowledged.
   * @throws OperationalError `queue_format_newer`
   */
  static async open(options: SegmentedLogOptions): Promise<SegmentedLog> {
    const log = new SegmentedLog(options);
    await log.#recover();
    return log;
  }

  /** Not acknowledged, in all segments. */
  get pending(): Readonly<Tally> {
    return this.#pending;
  }

  /** Sequence number of the last message that is durable. */
  get lastSequence(): number {
    return this.#nextSequence - 1;
  }

  /** Bytes cut off the end when the log was opened. */
  get tornBytes(): number {
    return this.#tornBytes;
  }

  /** Whether bytes may still be added to the segment. */
  isActive(segment: Segment): boolean {
    return this.#active?.segment === segment;
  }

  /** The segment that holds `sequence`, or the first one after it. */
  segmentOf(sequence: number): Segment | undefined {
    return this.#segments.findLast((segment) => segment.firstSequence <= sequence) ?? this.#segments[0];
  }

  segmentAfter(segment: Segment): Segment | undefined {
    return this.#segments.find((candidate) => candidate.firstSequence > segment.firstSequence);
  }

  /** Appends in the order of the calls; resolves once all entries are durable, rejects with the system's error. */
  append(entries: readonly LogEntry[]): Promise<void> {
    const bytes = entries.reduce((sum, entry) => sum + frameBytes(entry), 0);
    return new Promise((resolve, reject) => {
      this.#queued.push({ entries, bytes, resolve, reject });
      this.#committing ??= this.#commitAll();
    });
  }

  /** Takes an acknowledged message out of the counts. */
  settle(segment: Segment, amount: Readonly<Tally>): void {
    addTally(segment.pending, amount, -1);
    addTally(this.#pending, amount, -1);
  }

  /** Deletes the segments, oldest first, that have nothing unacknowledged. What fails is tried at the next call. */
  async deleteSettled(): Promise<void> {
    for (;;) {
      const oldest = this.#segments[0];
      if (oldest === undefined || this.isActive(oldest) || oldest.pending.messages > 0) return;
      await rm(oldest.path, { force: true });
      this.#segments.shift();
    }
  }

  /**
   * Called by a reader that met damage which was not there on opening: sets the span aside and corrects the counts.
   * @param held what has been read from the segment before `offset` and is not acknowledged
   * @returns where the next good frame begins, or the end of what is durable
   */
  async repair(segment: Segment, offset: number, previousSequence: number, held: Readonly<Tally>): Promise<number> {
    const limitOffset = segment.sizeBytes;
    const lost = { ...segment.pending };
    addTally(lost, held, -1);
    const file = await open(segment.path, 'r');
    try {
      const acknowledgedThrough = previousSequence;
      const { salt } = segment;
      const range = { salt, startOffset: offset, limitOffset, acknowledgedThrough, previousSequence };
      const rest = await scanSegment(file, range);
      const span = rest.damaged[0];
      const damagedHere = span?.offset === offset && span.bytes > 0;
      // Read well this time: it was the reading that failed.
      if (!damagedHere && rest.endOffset > offset) return offset;
      const resumeOffset = damagedHere ? offset + span.bytes : limitOffset;
      addTally(lost, rest.pending, -1);
      await this.#report(segment, file, { offset, bytes: resumeOffset - offset, messages: lost.messages });
      this.settle(segment, lost);
      return resumeOffset;
    } finally {
      await file.close();
    }
  }

  /** Waits for the appends under way, then closes. The caller makes sure that no further ones come. */
  async close(): Promise<void> {
    await this.#committing;
    await this.#active?.file.close();
    this.#active = undefined;
  }

  async #commitAll(): Promise<void> {
    // What else is appended in this turn goes along.
    await Promise.resolve();
    while (this.#queued.length > 0) {
      const group = this.#takeGroup();
      try {
        await this.#commit(group);
        this.onAppended();
        for (const { resolve } of group) resolve();
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.#committing = undefined;
  }

  #takeGroup(): Append[] {
    const limit = Math.min(MAX_GROUP_BYTES, this.#options.segmentBytes);
    let bytes = 0;
    let count = 0;
    for (const append of this.#queued) {
      if (count > 0 && bytes + append.bytes > limit) break;
      bytes += append.bytes;
      count++;
    }
    return this.#queued.splice(0, count);
  }

  async #commit(group: readonly Append[]): Promise<void> {
    const entries = group.length === 1 ? (group[0] as Append).entries : group.flatMap((append) => append.entries);
    const bytes = group.reduce((sum, append) => sum + append.bytes, 0);
    const active = await this.#segmentFor(bytes);
    const { segment, file } = active;
    try {
      await writeGroup(file, segment, this.#nextSequence, entries);
    } catch (error) {
      await this.#takeBack(active, entries.length);
      throw error;
    }
    try {
      await file.datasync();
      if (active.directoryPending) await syncDirectory(this.#options.directory);
      active.directoryPending = false;
    } catch (error) {
      if (await this.#takeBack(active, entries.length)) await this.#abandon(entries.length);
      throw error;
    }
    const amount = tallyOf(entries, bytes);
    addTally(segment.pending, amount);
    addTally(this.#pending, amount);
    segment.sizeBytes += bytes;
    this.#nextSequence += entries.length;
  }

  /** The segment that takes the next `bytes`. */
  async #segmentFor(bytes: number): Promise<ActiveSegment> {
    const present = this.#active;
    if (present !== undefined) {
      const { sizeBytes } = present.segment;
      if (sizeBytes === 0 || sizeBytes + bytes <= this.#options.segmentBytes) return present;
      await this.#seal();
    }
    const name = { firstSequence: this.#nextSequence, salt: randomBytes(4).readUInt32BE() };
    const segment = createSegment(this.#options.directory, name, 0);
    const file = await open(segment.path, 'wx+');
    this.#segments.push(segment);
    this.#active = { segment, file, directoryPending: true };
    return this.#active;
  }

  /** Cuts off what is not durable; false when that failed and the segment was abandoned. */
  async #takeBack(active: ActiveSegment, messages: number): Promise<boolean> {
    try {
      await active.file.truncate(active.segment.sizeBytes);
      return true;
    } catch (error) {
      // What is behind the durable end is ignored from now on, and cut off or set aside on the next opening.
      this.#options.events.emit('queue_troubled', { queue: this.#options.name, error });
      await this.#abandon(messages);
      return false;
    }
  }

  /** Seals the segment and spends the numbers: should its last frames turn up after all, no others are like them. */
  async #abandon(messages: number): Promise<void> {
    this.#nextSequence += messages;
    await this.#seal();
  }

  async #seal(): Promise<void> {
    const active = this.#active;
    if (active === undefined) return;
    this.#active = undefined;
    await active.file.close();
  }

  async #recover(): Promise<void> {
    const { directory } = this.#options;
    const acknowledgedThrough = this.#options.acknowledgedThrough ?? 0;
    const names = (await readdir(directory))
      .map(parseSegmentName)
      .filter((name): name is SegmentName => name !== undefined)
      .sort((a, b) => a.firstSequence - b.firstSequence);
    let previousSequence = acknowledgedThrough;
    for (const [index, name] of names.entries()) {
      const segment = createSegment(directory, name, 0);
      const next = names[index + 1];
      if (next !== undefined && next.firstSequence <= acknowledgedThrough + 1) {
        await rm(segment.path);
        continue;
      }
      const isLast = next === undefined;
      segment.sizeBytes = (await stat(segment.path)).size;
      const scan = await this.#recoverSegment(segment, isLast, previousSequence);
      previousSequence = Math.max(previousSequence, scan.lastSequence);
      this.#segments.push(segment);
    }
    this.#nextSequence = previousSequence + 1;
    await this.deleteSettled();
  }

  async #recoverSegment(segment: Segment, isLast: boolean, previousSequence: number): Promise<SegmentScan> {
    const { acknowledgedThrough } = this.#options;
    const isFirst = this.#segments.length === 0;
    const file = await open(segment.path, 'r+');
    let keepOpen = false;
    try {
      const limitOffset = segment.sizeBytes;
      const scan = await scanSegment(file, {
        salt: segment.salt,
        startOffset: 0,
        limitOffset,
        acknowledgedThrough: acknowledgedThrough ?? 0,
        // The first segment begins with frames that are acknowledged, or else a segment before it is missing.
        previousSequence: isFirst
          ? Math.min(segment.firstSequence - 1, acknowledgedThrough ?? Infinity)
          : previousSequence,
      });
      for (const span of scan.damaged) await this.#report(segment, file, span);
      const rest = limitOffset - scan.endOffset;
      if (isLast) {
        this.#tornBytes = rest;
        if (rest > 0) await file.truncate(scan.endOffset);
        // Also makes durable what a killed process had written and not yet synced: it will be delivered.
        await file.sync();
        segment.sizeBytes = scan.endOffset;
        this.#active = { segment, file, directoryPending: true };
        keepOpen = true;
      } else if (rest > 0) {
        await this.#report(segment, file, { offset: scan.endOffset, bytes: rest, messages: 0 });
        segment.sizeBytes = scan.endOffset;
      }
      addTally(segment.pending, scan.pending);
      addTally(this.#pending, scan.pending);
      return scan;
    } finally {
      if (!keepOpen) await file.close();
    }
  }

  async #report(segment: Segment, file: FileHandle, span: DamagedSpan): Promise<void> {
    const { name, directory, events } = this.#options;
    const copy = span.bytes === 0 ? null : `${segment.path}.${span.offset}.damaged`;
    if (copy !== null) {
      segment.damage.set(span.offset, span.offset + span.bytes);
      await setAside(file, span, copy);
      await syncDirectory(directory);
    }
    events.emit('queue_damaged', { queue: name, file: segment.path, ...span, setAside: copy });
  }
}

function tallyOf(entries: readonly LogEntry[], bytes: number): Tally {
  const tally = { messages: entries.length, records: 0, bodyBytes: 0, frameBytes: bytes };
  for (const entry of entries) {
    tally.records += entry.records ?? 1;
    tally.bodyBytes += entry.body.byteLength;
  }
  return tally;
}

/** The file beside the segments that holds the acknowledged position. */
export function positionPath(directory: string): string {
  return join(directory, 'position');
}
