import type { EventFields, EventName, Events } from '../../src/monitoring/events.js';

/** Events kept in a list, for tests that look at them. */
export interface RecordedEvents extends Events {
  readonly all: readonly { readonly name: EventName; readonly fields: unknown }[];
  /** The fields of every event of that name, oldest first. */
  named<N extends EventName>(name: N): EventFields<N>[];
}

export function recordEvents(): RecordedEvents {
  const all: { name: EventName; fields: unknown }[] = [];
  return {
    all,
    emit(name, fields) {
      all.push({ name, fields });
    },
    named: <N extends EventName>(name: N) =>
      all.filter((event) => event.name === name).map((event) => event.fields as EventFields<N>),
  };
}
