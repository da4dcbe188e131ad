/** What stands behind the code of a dead letter, and what helps. The runbook says the same at greater length. */
import type { RejectionCode } from '../../src/telemetry/rejection.js';

const REMEDIES: Readonly<Partial<Record<RejectionCode, string>>> = {
  conflict:
    'Find the sender that reports twice, or two gateways that use one device id. A replay changes nothing here; `downhole dlq replay --overwrite` puts these values in the place of the stored ones.',
  future_timestamp: 'Set the clock of the sender. Once the time has come, the letter can be replayed.',
  too_many_devices: 'Raise pipeline.maxDevices, or find the sender that makes up device ids. Then replay.',
  database_rejected:
    'The database refused the row in its own words. Report it: the check before should have caught it.',
  naive_timestamp: 'Say in which zone the times are: `downhole dlq replay --time-zone`.',
  timestamp_unit_missing: 'Say in which unit the times are: `downhole dlq replay --timestamp-unit`.',
  unknown_unit: 'Say the unit: `downhole dlq replay --unit channel=unit`.',
  missing_field: 'If the field has another name: `downhole dlq replay --rename from=to`, or `--set-device ID`.',
  malformed_json:
    'If it is one record a line: `downhole dlq replay --ndjson`. Otherwise the sender has to send it again.',
};

const OF_THE_BROKER =
  'RabbitMQ gave the message up itself. Look at the policies and consumers of the queue that the error names, then replay.';
const OF_ANY_OTHER =
  'The message came past the API, which would have refused it, or by an import. The error says what is wrong with it.';

/** What to do about letters of this code; commands stand between backticks. */
export function remedyFor(code: string): string {
  if (code.startsWith('broker_')) return OF_THE_BROKER;
  return Object.entries(REMEDIES).find(([known]) => known === code)?.[1] ?? OF_ANY_OTHER;
}
