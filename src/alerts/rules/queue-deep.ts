/** A queue that the pipeline does not keep up with. */
import type { Config } from '../../config/schema.js';
import type { AlertRule } from '../alert.js';
import { ruleTimes } from './rule-times.js';

/** @param depth messages that wait in the queue of telemetry, as this process sees it */
export function queueDeepRule(depth: () => number, settings: Config['alerts']['queueDeep']): AlertRule {
  const { messages: most, resolveMessages } = settings;
  return {
    name: 'queue_deep',
    ...ruleTimes(settings),
    groupBy: [],
    find() {
      const messages = depth();
      if (messages <= Math.min(most, resolveMessages)) return Promise.resolve([]);
      const summary = `${messages} messages wait in the queue of telemetry, and more than ${most} is an alert.`;
      return Promise.resolve([
        {
          labels: { queue: 'telemetry' },
          summary,
          detail: { messages, threshold: most },
          isLingering: messages <= most,
        },
      ]);
    },
  };
}
