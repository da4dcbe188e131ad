/** A queue that the pipeline does not keep up with. */
import type { Config } from '../../config/schema.js';
import type { AlertRule } from '../alert.js';
import { ruleTimes } from './rule-times.js';

/** @param depth messages that wait in the queue of telemetry, as this process sees it or its broker says */
export function queueDeepRule(
  depth: () => number | Promise<number>,
  settings: Config['alerts']['queueDeep'],
): AlertRule {
  const { messages: most, resolveMessages } = settings;
  return {
    name: 'queue_deep',
    ...ruleTimes(settings),
    groupBy: [],
    async find() {
      const messages = await depth();
      if (messages <= Math.min(most, resolveMessages)) return [];
      const summary = `${messages} messages wait in the queue of telemetry, and more than ${most} is an alert.`;
      return [
        {
          labels: { queue: 'telemetry' },
          summary,
          detail: { messages, threshold: most },
          isLingering: messages <= most,
        },
      ];
    },
  };
}
