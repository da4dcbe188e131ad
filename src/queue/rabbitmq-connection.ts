/**
 * A connection to RabbitMQ that comes back by itself. Whoever needs channels on it says how to set them up; that is
 * done on every new connection, before anyone may use it.
 */
import { connect, IllegalOperationError, type Channel, type ChannelModel, type RecoveringChannelModel } from 'amqplib';
import type { Events } from '../monitoring/events.js';
import { backoffMs } from '../telemetry/backoff.js';
import { OperationalError } from '../telemetry/operational-error.js';

export interface RabbitmqConnectionOptions {
  readonly url: URL;
  /** What it is for: in events, and in the broker's list of connections. */
  readonly purpose: 'publishing' | 'consuming';
  readonly heartbeatSeconds: number;
  readonly events: Events;
  /** Opens what is needed on a fresh connection. */
  readonly setUp: (model: ChannelModel) => Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** A broker that does not answer the good-bye is left alone after this; its heartbeat ends the connection. */
const CLOSE_TIMEOUT_MS = 5000;

export class RabbitmqConnection {
  readonly #options: RabbitmqConnectionOptions;
  #recovering: RecoveringChannelModel | undefined;
  #model: ChannelModel | undefined;
  #isBlocked = false;

  private constructor(options: RabbitmqConnectionOptions) {
    this.#options = options;
  }

  /**
   * Connects. The first attempt decides; from then on a lost connection is opened again until `close`.
   * @throws OperationalError `queue_unavailable` (retryable), `queue_access_refused`, and those of `setUp`
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

  /** A channel on it, as soon as there is a connection. */
  openChannel(): Promise<Channel> {
    return (this.#recovering as RecoveringChannelModel).createChannel();
  }

  /** Begins anew: when a channel was lost on a connection that is fine otherwise. */
  reset(): void {
    const model = this.#model;
    this.#model = undefined;
    // If closing fails the connection is gone, which was the aim.
    model?.close().catch(() => {}); // the loss itself is reported by `disconnect`
  }

  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_TIMEOUT_MS)));
    await Promise.race([this.#recovering?.close(), timeout]);
    clearTimeout(timer);
  }

  async #open(): Promise<void> {
    const { url, purpose, heartbeatSeconds } = this.#options;
    const address = new URL(url);
    if (!address.searchParams.has('heartbeat')) address.searchParams.set('heartbeat', String(heartbeatSeconds));
    const recovering = await connect(address.href, {
      noDelay: true,
      keepAlive: true,
      timeout: CONNECT_TIMEOUT_MS,
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
    this.#model = model;
    await this.#options.setUp(model);
  }

  #listen(recovering: RecoveringChannelModel): void {
    const { purpose, events } = this.#options;
    let lost = false;
    recovering.on('disconnect', (error) => {
      lost = true;
      this.#isBlocked = false;
      events.emit('queue_connection_lost', { purpose, error });
    });
    recovering.on('reconnect-scheduled', ({ attempt, delay, error }) => {
      if (attempt > 1) events.emit('queue_connection_retried', { purpose, attempt, delayMs: delay, error });
    });
    recovering.on('connect', () => {
      if (lost) events.emit('queue_connection_restored', { purpose });
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

/** The broker is there, and does not let this user or this virtual host in. */
const REFUSED = /ACCESS[_-]REFUSED|Expected ConnectionOpenOk; got <ConnectionClose/;

function connectionError(error: unknown, url: URL): unknown {
  if (error instanceof OperationalError) return error;
  const { message } = error as Error;
  const where = `${url.hostname}:${url.port || (url.protocol === 'amqps:' ? 5671 : 5672)}`;
  if (REFUSED.test(message)) {
    return new OperationalError(
      'queue_access_refused',
      `RabbitMQ at ${where} refuses access (${message}): check user, password and virtual host of queue.url, and the user's permissions`,
      { cause: error },
    );
  }
  return new OperationalError(
    'queue_unavailable',
    `RabbitMQ cannot be reached at ${where} (${message}): check that it runs and that queue.url is right`,
    { retryable: true, cause: error },
  );
}

/** Whether a call failed because its channel or connection has ended, by itself or by an error of the broker. */
export function isConnectionLoss(error: unknown): boolean {
  const { message } = error as Error;
  return (
    error instanceof IllegalOperationError || /^(Channel (ended|closed)|Operation failed|Connection clos)/.test(message)
  );
}

/** For calls that are of no use on a connection that is gone; it has been reported. */
export function ignoreConnectionLoss(error: unknown): void {
  if (!isConnectionLoss(error)) throw error;
}
