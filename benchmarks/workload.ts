/**
 * The records that the throughput benchmarks carry: eight channels set, as a gateway would send them.
 * Seeded, so that two runs carry the same bytes.
 */
import type { OutgoingMessage } from '../src/queue/queue.js';
import { formatTimestamp } from '../src/telemetry/timestamp.js';
import { random } from './random.js';

const DEVICES = 1000;
export const RECORDS_PER_MESSAGE = 100;

export interface Workload {
  /** How many records in all; a multiple of `perMessage`. */
  readonly records: number;
  /** Epoch microseconds just behind the last record. */
  readonly endUs: number;
  readonly devices?: number;
  readonly perMessage?: number;
  readonly seed?: number;
}

/** Messages in time order: every device once per simulated second, ending at `endUs`. */
export function telemetryMessages({
  records,
  endUs,
  devices = DEVICES,
  perMessage = RECORDS_PER_MESSAGE,
  seed = 1,
}: Workload): OutgoingMessage[] {
  const next = random(seed);
  const around = (middle: number, spread: number, decimals: number): number =>
    Number((middle + (next() - 0.5) * spread).toFixed(decimals));
  const seconds = Math.ceil(records / devices);
  const messages: OutgoingMessage[] = [];
  let lines: string[] = [];
  for (let index = 0; index < records; index++) {
    const atUs = endUs - (seconds - Math.floor(index / devices)) * 1e6;
    const record = {
      device_id: `esp-${String(index % devices).padStart(4, '0')}`,
      timestamp: formatTimestamp(atUs),
      temperature: around(80, 1, 1),
      vibration: around(0.2, 0.05, 3),
      pressure: around(500, 10, 0),
      flow_rate: around(1500, 30, 1),
      motor_current: around(42, 1, 1),
      rpm: around(2900, 6, 0),
      intake_pressure: around(800, 4, 0),
      discharge_pressure: around(2500, 12, 0),
    };
    lines.push(JSON.stringify(record));
    if (lines.length === perMessage) {
      messages.push(message(lines, endUs));
      lines = [];
    }
  }
  return messages;
}

/** A single record travels as an object, as third parties send it. */
function message(lines: readonly string[], receivedUs: number): OutgoingMessage {
  return {
    body: Buffer.from(lines.length === 1 ? (lines[0] as string) : `[${lines.join(',')}]`),
    headers: {
      schemaVersion: 1,
      contentType: 'application/json',
      records: lines.length,
      receivedUs,
      source: 'benchmark',
    },
  };
}
