/**
 * The bytes of one record of a message, as they came: what a dead letter keeps. Written again as JSON, `1e999` would
 * become null, a long integer another number, and a repeated field would be gone.
 */
import { trimmedSpan } from '../telemetry/json-bytes.js';
import type { ParsedBody } from './read-body.js';
import { recordSpans, type RecordSpans } from './record-spans.js';

/** Found once for all refused records of a message, and only when there are any. */
const spansOf = new WeakMap<ParsedBody, RecordSpans>();

/**
 * Record `index` of a body, cut out of its bytes, without the white space around it. A body of one record stands for it as
 * a whole; a record of an envelope gets the other fields of the envelope around it, since it is read with them.
 */
export function originalRecord(body: Uint8Array, parsed: ParsedBody, index: number): Uint8Array {
  if (parsed.records.length === 1) return body;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  let spans = spansOf.get(parsed);
  if (spans === undefined) spansOf.set(parsed, (spans = recordSpans(bytes, parsed.form)));
  const span = trimmedSpan(bytes, spans[2 * index] as number, spans[2 * index + 1] as number);
  const record = bytes.subarray(...span);
  if (parsed.envelope === undefined) return record;
  const defaults = JSON.stringify(parsed.envelope);
  const after = defaults === '{}' ? ']}' : `],${defaults.slice(1)}`;
  return Buffer.concat([Buffer.from('{"records":['), record, Buffer.from(after)]);
}
