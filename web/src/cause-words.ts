import { CHANNELS } from '../../src/telemetry/channels.js';

/** What an anomaly is attributed to, for people: a channel by its label, a rule by its name. */
export function causeWords(cause: string): string {
  return CHANNELS.find(({ name }) => name === cause)?.label ?? cause.replaceAll('_', ' ');
}
