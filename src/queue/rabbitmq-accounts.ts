/**
 * What one process knows about the content of a queue on a broker, which tells the number of messages and nothing else.
 *
 * Counted exactly: what was published here and not yet delivered here, and what the consumer holds. Everything else that
 * waits on the broker is known by number alone, until it is delivered; from then on it counts as recovered. What was
 * published here and another process consumes is handed over: it is recovered there. So the books of each process
 * balance: published + recovered = settled + handed over + depth. Whatever is judged wrongly meanwhile (the broker's
 * answers are of the past) only moves records from one of these to another.
 */
import { randomBytes } from 'node:crypto';
import type { QueueDepth } from './queue.js';

export interface MessageSize {
  /** Null when nobody counted: then it is one. */
  readonly records: number | null;
  readonly bytes: number;
}

/** A message on its way to the broker. */
export interface SentMessage {
  readonly messageId: string;
  readonly size: MessageSize;
}

/** Told how many records came or went past this process. */
export interface AccountsListener {
  /** They came, and this process has not received them, or not for the first time. */
  readonly recovered: (records: number) => void;
  /** They were published or held here, and are another consumer's now. */
  readonly handedOver: (records: number) => void;
}

type Tally = { -readonly [K in keyof QueueDepth]: QueueDepth[K] };

/** Publications that failed and may be on the broker all the same: more than these are not remembered. */
const MAX_ABANDONED = 100_000;

export class RabbitmqAccounts {
  /** What the ids of this process's messages begin with. */
  readonly #prefix = `${randomBytes(9).toString('base64url')}:`;
  readonly #listener: AccountsListener;
  /** Published here, confirmed, and not delivered here. */
  readonly #waiting: Tally = { messages: 0, records: 0, bytes: 0 };
  /** Delivered and not acknowledged, over lost connections too. */
  readonly #inHand: Tally = { messages: 0, records: 0, bytes: 0 };
  /** Messages on the broker that this process has not seen. */
  #unseen = 0;
  #lastSequence = 0;
  /** Numbers whose publication is under way, and whether the delivery was faster than the confirm. */
  readonly #underWay = new Map<number, boolean>();
  /** Messages of this process come in the order of their numbers: up to here each has been delivered once. */
  #deliveredThrough = 0;
  /** Numbers beyond that whose publisher was told that they failed. */
  readonly #abandoned = new Set<number>();
  /** Since the last observation: the messages that waited then, unless something was delivered meanwhile. */
  #waitedSince = 0;

  constructor(listener: AccountsListener) {
    this.#listener = listener;
  }

  depth(): QueueDepth {
    const sum = (key: keyof QueueDepth): number => this.#waiting[key] + this.#inHand[key];
    return { messages: sum('messages') + this.#unseen, records: sum('records'), bytes: sum('bytes') };
  }

  nextMessageId(): string {
    this.#underWay.set(++this.#lastSequence, false);
    return `${this.#prefix}${this.#lastSequence}`;
  }

  /** Its publication has succeeded as a whole. */
  published({ messageId, size }: SentMessage): void {
    if (this.#endPublication(messageId)) return; // delivered already
    this.#waiting.messages++;
    this.#waiting.records += recordsOf(size);
    this.#waiting.bytes += size.bytes;
  }

  /** Its publication has failed: it may be on the broker all the same, and its publisher sends it again. */
  abandoned({ messageId, size }: SentMessage): void {
    const sequence = this.#sequenceOf(messageId) as number;
    if (this.#endPublication(messageId)) this.#listener.recovered(recordsOf(size));
    else if (sequence > this.#deliveredThrough && this.#abandoned.size < MAX_ABANDONED) this.#abandoned.add(sequence);
  }

  delivered(messageId: string | undefined, size: MessageSize): void {
    this.#waitedSince = 0;
    move(this.#inHand, size, 1);
    const sequence = this.#sequenceOf(messageId);
    const isFirst = sequence !== undefined && sequence > this.#deliveredThrough;
    if (isFirst) this.#deliveredThrough = sequence;
    if (sequence !== undefined && this.#underWay.get(sequence) === false) {
      this.#underWay.set(sequence, true);
      return;
    }
    const known = isFirst && !this.#wasAbandoned(sequence) ? this.#takeFromWaiting(size) : undefined;
    if (known === undefined) this.#unseen = Math.max(0, this.#unseen - 1);
    const unknown = recordsOf(size) - (known ?? 0);
    if (unknown > 0) this.#listener.recovered(unknown);
  }

  /** Acknowledged, or settled on a connection that is gone. */
  settled(size: MessageSize): void {
    move(this.#inHand, size, -1);
  }

  /** The consumer has given it back to the broker. */
  returned(size: MessageSize): void {
    this.settled(size);
    this.#unseen++;
    if (recordsOf(size) > 0) this.#listener.handedOver(recordsOf(size));
  }

  /**
   * The broker says how many messages are ready.
   * @param waiting those, and the ones that were sent here and not yet handed on
   * @param unconfirmed publications that may be among them or not
   * @param consuming whether a consumer of this process may be taking them
   */
  observed(waiting: number, unconfirmed: number, consuming: boolean): void {
    // What waited when the broker was asked last, and was not delivered here since, another process has.
    const mustBeThere = consuming ? this.#waitedSince : this.#waiting.messages;
    if (waiting < mustBeThere) this.#handOver(waiting);
    this.#waitedSince = this.#waiting.messages;
    this.#unseen = Math.max(0, waiting - this.#waiting.messages - unconfirmed);
  }

  /** All but so many of those that wait are gone: how large those are is an estimate by the mean size. */
  #handOver(left: number): void {
    const { messages, records, bytes } = this.#waiting;
    const share = messages === 0 ? 0 : left / messages;
    this.#waiting.messages = left;
    this.#waiting.records = Math.round(records * share);
    this.#waiting.bytes = Math.round(bytes * share);
    if (records > this.#waiting.records) this.#listener.handedOver(records - this.#waiting.records);
  }

  /** How many records of the message were known to wait; undefined when no message was. */
  #takeFromWaiting(size: MessageSize): number | undefined {
    const waiting = this.#waiting;
    if (waiting.messages === 0) return undefined;
    const known = Math.min(waiting.records, recordsOf(size));
    waiting.messages--;
    waiting.records -= known;
    waiting.bytes = Math.max(0, waiting.bytes - size.bytes);
    if (waiting.messages === 0) this.#handOver(0); // what the estimate had too much
    return known;
  }

  /** Whether the publication of this message has failed. Earlier ones were not on the broker, or would have come before. */
  #wasAbandoned(sequence: number): boolean {
    for (const number of this.#abandoned) {
      if (number >= sequence) break;
      this.#abandoned.delete(number);
    }
    return this.#abandoned.delete(sequence);
  }

  /** Whether the message has been delivered already. */
  #endPublication(messageId: string): boolean {
    const sequence = this.#sequenceOf(messageId) as number;
    const wasDelivered = this.#underWay.get(sequence) === true;
    this.#underWay.delete(sequence);
    return wasDelivered;
  }

  #sequenceOf(messageId: string | undefined): number | undefined {
    if (messageId === undefined || !messageId.startsWith(this.#prefix)) return undefined;
    return Number(messageId.slice(this.#prefix.length));
  }
}

const recordsOf = ({ records }: MessageSize): number => records ?? 1;

function move(tally: Tally, size: MessageSize, sign: 1 | -1): void {
  tally.messages += sign;
  tally.records += sign * recordsOf(size);
  tally.bytes += sign * size.bytes;
}
