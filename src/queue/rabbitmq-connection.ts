/**
 * A connection to RabbitMQ that comes back by itself. Whoever needs channels on it says how to set them up; that is
 * done on every new connection, before anyone may use it.
 */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, IllegalOperationError, type Channel, type ChannelModel, type RecoveringChannelModel } from 'amqplib';
import type { Events } from '../monitoring/events.js';
import { backoffMs } from '../telemetry/backoff.js';
import { connectionError, type RabbitmqAddress } from './rabbitmq-address.js';

export interface RabbitmqConnectionOptions extends RabbitmqAddress {
  /** What it is for: in events, and in the broker's list of connections. */
  readonly purpose: 'publishing' | 'consuming' | 'inspecting';
  readonly heartbeatSeconds: number;
  readonly events: Events;
  /** Opens what is needed on a fresh connection; a failure ends it, and is tried again on the next one. */
  readonly setUp: (model: ChannelModel) => Promise<void>;
  /** From now on `openChannel` gives channels. */
  readonly onReady?: () => void;
}

interface Line {
  readonly model: ChannelModel;
  /** Resolves when it has ended, in whatever way. */
  readonly gone: Promise<void>;
  isGone: boolean;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** A broker that does not answer the good-bye is left alone after this. */
const CLOSE_TIMEOUT_MS = 5000;

export class RabbitmqConnection {
  readonly #options: RabbitmqConnectionOptions;
  #recovering: RecoveringChannelModel | undefined;
  #line: Line | undefined;
  /** The connection, once it is set up. */
  #ready: ChannelModel | undefined;
  #isBlocked = false;

  private constructor(options: RabbitmqConnectionOptions) {
    this.#options = options;
  }

  /**
   * Connects. The first attempt decides; from then on a lost connection is opened again until `close`.
   * @throws OperationalError those of `connectionError`, and of `setUp`
   */
  static async open(options: RabbitmqConnectionOptions): Promise<RabbitmqConnection> {
    const connection = new RabbitmqConnection(options);
    await connection.#open();
    return connection;
  }

  /** Whether the broker takes no publications for want of memory or disk. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** A channel on it; undefined while there is no connection. */
  async openChannel(): Promise<Channel | undefined> {
    return await this.#ready?.createChannel();
  }

  /** Begins anew: when a channel was lost on a connection that is fine otherwise. */
  reset(): void {
    const line = this.#line;
    this.#line = this.#ready = undefined;
    // If closing fails the connection is gone, which was the aim; the loss itself is reported by `disconnect`.
    if (line !== undefined) void breakOffAfter(line.model.close(), line);
  }

  async close(): Promise<void> {
    const line = this.#line;
    this.#line = this.#ready = undefined;
    const closing = this.#recovering?.close();
    if (line !== undefined) await breakOffAfter(closing, line);
  }

  async #open(): Promise<void> {
    const { url, ca, purpose, heartbeatSeconds } = this.#options;
    const address = new URL(url);
    if (!address.searchParams.has('heartbeat')) address.searchParams.set('heartbeat', String(heartbeatSeconds));
    const recovering = await connect(address.href, {
      noDelay: true,
      keepAlive: true,
      timeout: CONNECT_TIMEOUT_MS,
      ...(ca === undefined ? {} : { ca }),
      clientProperties: { connection_name: `downhole ${purpose}` },
      recovery: {
        waitForConnect: false,
        initialMaxRetries: 0,
        calculateDelay: (attempt) => backoffMs(attempt, Math.random()),
        setup: (model: ChannelModel) => this.#setUp(model),
      },
    });
    this.#recovering = recovering;
    this.#listen(recovering);
    try {
      await recovering.waitForConnect();
    } catch (error) {
      throw connectionError(error, url);
    }
  }

  async #setUp(model: ChannelModel): Promise<void> {
    model.on('error', () => {}); // followed by `close`, which carries the same error
    this.#isBlocked = false;
    const gone = new Promise<void>((resolve) => model.once('close', () => resolve()));
    const line = { model, gone, isGone: false };
    void gone.then(() => (line.isGone = true));
    this.#line = line;
    try {
      await this.#options.setUp(model);
      // Nobody would hear of its end any more: amqplib listens for it only from here on.
      if (line.isGone) throw new Error('Connection closed while it was set up');
    } catch (error) {
      await breakOff(line);
      throw error;
    }
  }

  #listen(recovering: RecoveringChannelModel): void {
    const { purpose, events, onReady } = this.#options;
    let lost = false;
    recovering.on('disconnect', (error) => {
      lost = true;
      this.#isBlocked = false;
      this.#ready = undefined;
      events.emit('queue_connection_lost', { purpose, error });
    });
    recovering.on('reconnect-scheduled', ({ attempt, delay, error }) => {
      if (attempt > 1) events.emit('queue_connection_retried', { purpose, attempt, delayMs: delay, error });
    });
    recovering.on('connect', (model) => {
      this.#ready = model;
      if (lost) events.emit('queue_connection_restored', { purpose });
      onReady?.();
    });
    recovering.on('blocked', (reason) => {
      this.#isBlocked = true;
      events.emit('queue_blocked', { reason });
    });
    recovering.on('unblocked', () => {
      this.#isBlocked = false;
      events.emit('queue_unblocked', {});
    });
    recovering.on('error', () => {}); // followed by `disconnect`, which carries the same error
  }
}

/**
 * Ends a connection without a good-bye. amqplib waits for the answer to one, and for ever where the broker's own ending
 * crosses it; while it waits it opens no other connection.
 */
async function breakOff({ model, gone }: Line): Promise<void> {
  const { stream } = model.connection as unknown as { stream: Socket };
  stream.destroy(new Error('Connection broken off'));
  await gone;
}

/** The same, once the good-bye was answered or has had its time. */
async function breakOffAfter(goodBye: Promise<void> | undefined, line: Line): Promise<void> {
  const late = new AbortController();
  const timeout = sleep(CLOSE_TIMEOUT_MS, undefined, { signal: late.signal });
  await Promise.allSettled([Promise.race([goodBye, line.gone, timeout])]);
  late.abort();
  await Promise.allSettled([timeout]);
  await breakOff(line);
}

/**
 * Closes a channel. amqplib waits for the broker's answer, and for ever where the connection ends before that comes.
 * @throws what `isConnectionLoss` knows, if channel or connection ended before
 */
export async function closeChannel(channel: Channel): Promise<void> {
  const ended = new Promise<never>((_, reject) => {
    channel.once('close', () => reject(new Error('Channel ended with its connection')));
  });
  await Promise.race([channel.close(), ended]); // an answer settles the first one before `close` is told
}

const ACCESS_REFUSED = 403;
/** Whether a call failed because its channel or connection has ended, by itself or by an error of the broker. */
export function isConnectionLoss(error: unknown): boolean {
  const { message } = error as Error;
  return (
    error instanceof IllegalOperationError || /^(Channel (ended|closed)|Operation failed|Connection clos)/.test(message)
  );
}

/** Whether the broker has refused a call for want of a permission. */
export function isAccessRefused(error: unknown): boolean {
  return (error as { code?: unknown }).code === ACCESS_REFUSED;
}

/** For calls that are of no use on a connection that is gone; it has been reported. */
export function ignoreConnectionLoss(error: unknown): void {
  if (!isConnectionLoss(error)) throw error;
}
