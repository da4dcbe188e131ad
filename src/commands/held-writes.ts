/** Whether the pipeline holds a batch that the database does not take, told by the events that it emits. */
import type { EventFields, EventName, Events } from '../monitoring/events.js';
import { OperationalError } from '../telemetry/operational-error.js';

export class HeldWrites implements Events {
  readonly #events: Events;
  #failure: OperationalError | undefined;

  /** @param events where everything goes on to */
  constructor(events: Events) {
    this.#events = events;
  }

  /** Why the batch is held; undefined while none is. */
  get failure(): OperationalError | undefined {
    return this.#failure;
  }

  emit<N extends EventName>(name: N, fields: EventFields<N>): void {
    if (name === 'write_retried' && 'error' in fields && fields.error instanceof OperationalError)
      this.#failure = fields.error;
    if (name === 'batch_written') this.#failure = undefined;
    this.#events.emit(name, fields);
  }
}
