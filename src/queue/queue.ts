/**
 * The queue between the ingest API and the pipeline. Two implementations, one contract suite
 * (tests/contracts/queue.ts): `embedded` (a segmented log in a directory) and, on a server, RabbitMQ.
 *
 * Lifecycle guarantees:
 * - `publish` resolves once every message is durable (fsync, or the broker's confirm), and only then may 202 be answered.
 * - Deliveries come in the order of publication. What was delivered and not acknowledged comes again after a
 *   restart, in the same order, `redelivered`. Nothing is ever dropped because it was delivered often.
 * - `acknowledgeThrough` is cumulative: the consumer calls it after its commit.
 * - At its bound a queue refuses to publish (`queue_full`, retryable); it never drops.
 */

import type { Health } from '../monitoring/readiness.js';

/** What travels beside the bytes of a message. */
export interface MessageHeaders {
  /** Version of the record schema that the body follows. */
  readonly schemaVersion: number;
  readonly contentType: 'application/json' | 'application/x-ndjson';
  /** How many records the body has, as counted by the publisher; null when nobody counted (third parties). */
  readonly records: number | null;
  /** Epoch microseconds at which the publisher received it; null when unknown: then the delivery counts. */
  readonly receivedUs: number | null;
  /** Who sent it: key id, gateway or program. */
  readonly source: string;
  /** Set on dead letters. */
  readonly failure?: FailureHeaders;
}

export interface FailureHeaders {
  readonly code: string;
  readonly deviceId: string | null;
  /** Why, in words, where the body does not say it: the broker gave up a message as it was. */
  readonly detail?: string;
}

export interface OutgoingMessage {
  readonly body: Uint8Array;
  readonly headers: MessageHeaders;
  /** Where all its records belong, from 0 below `Broker.partitions`; without it they are looked at once more. */
  readonly partition?: number | undefined;
}

export interface Delivery extends Omit<OutgoingMessage, 'partition'> {
  /** Grows with the order of delivery within one consumer. */
  readonly tag: number;
  readonly redelivered: boolean;
}

export interface QueueDepth {
  /** Published and not acknowledged, those in the consumer's hands included. */
  readonly messages: number;
  /** Records in them; messages of unknown size count as one. */
  readonly records: number;
  readonly bytes: number;
}

/** How the two sides of a queue are at this moment. */
export interface QueueHealth {
  /** Not ok while a publication would be refused. */
  readonly publishing: Health;
  /** Not ok while no delivery can come. */
  readonly consuming: Health;
}

export interface ConsumeOptions {
  /** Deliveries that may be unacknowledged at a time: the back-pressure of the consumer. */
  readonly prefetchMessages: number;
  /** The same in bytes of bodies, so that large messages cannot fill the memory; one message is always delivered. */
  readonly prefetchBytes: number;
  /** Told whenever nothing more comes until some of what is out is acknowledged: waiting for more is waiting for ever. */
  readonly onFull?: () => void;
  /** Told before a delivery that somebody else's deliveries may have gone before: of a broker with several consumers. */
  readonly onTakenOver?: () => void;
}

export interface Consumer {
  /** Acknowledges this delivery and all before it; resolves once a restart would not deliver them again. */
  acknowledgeThrough(tag: number): Promise<void>;
  /**
   * No further deliveries. What is out may still be acknowledged, until the next `consume` or `close`; what is not
   * acknowledged by then comes again to the next consumer.
   */
  stop(): Promise<void>;
}

export interface Queue {
  /**
   * All or none. The bodies must not change before the promise has settled.
   * @throws OperationalError `queue_full`, `queue_unwritable` (both retryable), `message_too_large`, `queue_closed`
   */
  publish(messages: readonly OutgoingMessage[]): Promise<void>;
  /** One consumer at a time, so that order is kept. `deliver` must not throw and should return quickly. */
  consume(options: ConsumeOptions, deliver: (delivery: Delivery) => void): Promise<Consumer>;
  depth(): QueueDepth;
  /** Does not reject, and costs next to nothing while all is well. */
  health(): Promise<QueueHealth>;
}

/** The two queues of the platform, on one connection or in one directory. */
export interface Broker {
  /** `telemetry_queue`. */
  readonly telemetry: Queue;
  /** `telemetry.failed` behind the exchange `dlx`: drained into the table `dead_letters`. */
  readonly failed: Queue;
  /**
   * How many parts `telemetry` has (`partitionOf` says which device belongs where); 0 where it is one. Order is then kept
   * in each part. All parts are one queue to its consumer here, and each is read by one process at a time.
   */
  readonly partitions: number;
  /** Where there are partitions: what was published without one, for whoever sorts it into them. */
  readonly unpartitioned?: Pick<Queue, 'consume'> | undefined;
  close(): Promise<void>;
}

/** The body of a dead letter, JSON; headers carry code and device. */
export interface DeadLetterBody {
  /** The record as it came: its text, or base64 (with `encoding`) where the bytes are not UTF-8. */
  readonly original_message: string;
  readonly encoding?: 'base64';
  readonly error: string;
  /** RFC 3339. */
  readonly timestamp: string;
}
