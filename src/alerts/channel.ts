/** A way to tell somebody. */
import type { AlertMessage } from './message-outbox.js';

/** Why a message was not taken. */
export interface DeliveryFailure {
  /** For the log: no address and no secret in it. */
  readonly reason: string;
  /** Trying again would bring the same. */
  readonly isFinal: boolean;
}

export interface AlertChannel {
  readonly name: 'webhook' | 'email';
  /** One attempt. undefined: taken. Never rejects for what the other side does. */
  deliver(message: AlertMessage, signal: AbortSignal): Promise<DeliveryFailure | undefined>;
}
