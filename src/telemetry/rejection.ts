/** Why a record was not accepted. Bad data is a value: nothing in the pipeline throws for it. */
import { nestsDeeperThan } from './nesting.js';

/** Closed list of reasons: the `code` of the ingest API and `reason` of a dead letter. */
export const REJECTION_CODES = {
  malformed_json: 'not JSON',
  no_records: 'the message has no records',
  not_an_object: 'a record is a JSON object',
  missing_field: 'a required field is missing',
  wrong_type: 'a field has the wrong type',
  not_finite: 'a number is NaN or infinite',
  invalid_device_id: 'device_id is empty, too long or has control characters',
  invalid_timestamp: 'the timestamp cannot be read',
  naive_timestamp: 'the timestamp has no offset',
  timestamp_unit_missing: 'an epoch timestamp needs timestamp_unit',
  future_timestamp: 'more than 10 minutes in the future',
  unknown_unit: 'the unit is not one of the channel',
  too_large: 'the record is larger than allowed',
  too_deep: 'the record is nested deeper than allowed',
  forbidden_device: 'the API key is restricted to other sites or devices',
  too_many_devices: 'the limit of devices is reached',
  conflict: 'contradicts the row already stored under the same device and time',
  database_rejected: 'the database refused the row',
} as const;

export type RejectionCode = keyof typeof REJECTION_CODES;

export interface Rejection {
  readonly code: RejectionCode;
  /** The field at fault; empty when it is the record as a whole. */
  readonly field: string;
  /** Names the field, the value (shortened) and the remedy. */
  readonly message: string;
}

const SHOWN_VALUE_LENGTH = 80;
/** JSON.stringify recurses: what a stranger nests deeper is not written out. */
const SHOWN_DEPTH = 32;

/** A received value as it may stand in a message: JSON, bounded. */
export function showValue(value: unknown): string {
  if (nestsDeeperThan(value, SHOWN_DEPTH)) return 'a value nested deeper than can be shown';
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length <= SHOWN_VALUE_LENGTH ? text : `${text.slice(0, SHOWN_VALUE_LENGTH)}… (${text.length} characters)`;
}

export function reject(code: RejectionCode, field: string, message: string): Rejection {
  return { code, field, message };
}
