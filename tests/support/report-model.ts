/**
 * Reports that contradict nobody, and what the table has to say after all of them whatever their order, split and
 * repetition: the rules of S1 (requirements.md) in the slow and obvious way.
 */
import type { Database } from '../../src/storage/database.js';
import { explainFlags } from '../../src/telemetry/quality-flags.js';
import { seededRandom } from './telemetry-rows.js';

const CHANNELS = ['temperature', 'vibration', 'pressure', 'rpm'] as const;
/** Those of them whose absence costs quality, and one that nobody reports. */
const EXPECTED = ['temperature', 'vibration', 'pressure', 'flow_rate'];
const IMPOSSIBLE = -9999;
const DEVICES = 5;
const INSTANTS = 300;
/** Between two instants of a device: all of them are over hours. */
const STEP_MS = 40_000;
const START_MS = Math.floor(Date.now() / 1000 - 20_000) * 1000;
const REPEATED_SHARE = 0.1;

type Channel = (typeof CHANNELS)[number];
export interface Report {
  readonly key: string;
  readonly channels: readonly Channel[];
  readonly record: Readonly<Record<string, unknown>>;
}

/** A function of the key, so that two reports of one instant never contradict each other. */
function reading(device: number, instant: number, channel: Channel): number {
  if (channel === 'pressure' && (device + instant) % 6 === 0) return IMPOSSIBLE;
  return 1 + (device + (instant % 20)) / 8 + CHANNELS.indexOf(channel);
}

function report(device: number, instant: number, channels: readonly Channel[]): Report {
  const device_id = `esp-${device}`;
  const timestamp = new Date(START_MS + instant * STEP_MS).toISOString();
  const values = Object.fromEntries(channels.map((channel) => [channel, reading(device, instant, channel)]));
  return { key: `${device_id} ${timestamp}`, channels, record: { device_id, timestamp, ...values } };
}

/** A day's worth of trouble: gauge and drive report apart, some of it twice, all of it hours out of order. */
export function randomReports(seed: number): Report[] {
  const random = seededRandom(seed);
  const reports: Report[] = [];
  for (let device = 0; device < DEVICES; device++) {
    for (let instant = 0; instant < INSTANTS; instant++) {
      const order = shuffled([...CHANNELS], random);
      const cut = Math.floor(random() * CHANNELS.length);
      for (const channels of [order.slice(0, cut), order.slice(cut)]) {
        if (channels.length > 0) reports.push(report(device, instant, channels));
      }
    }
  }
  const repeated = reports.filter(() => random() < REPEATED_SHARE);
  return shuffled([...reports, ...repeated], random);
}

/** In messages of one to sixty. */
export function inMessages(reports: readonly Report[], seed: number): Report[][] {
  const random = seededRandom(seed);
  const messages: Report[][] = [];
  for (let from = 0; from < reports.length;) {
    const size = 1 + Math.floor(random() * 60);
    messages.push(reports.slice(from, from + size));
    from += size;
  }
  return messages;
}

function shuffled<T>(items: T[], random: () => number): T[] {
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [items[last], items[other]] = [items[other] as T, items[last] as T];
  }
  return items;
}

/** A line for each row. */
export function modelOf(reports: readonly Report[]): string[] {
  const rows = new Map<string, Map<Channel, number>>();
  for (const { key, channels, record } of reports) {
    const row = rows.get(key) ?? new Map<Channel, number>();
    for (const channel of channels) row.set(channel, record[channel] as number);
    rows.set(key, row);
  }
  return [...rows]
    .map(([key, row]) => {
      const values = CHANNELS.map((channel) => (row.get(channel) === IMPOSSIBLE ? null : (row.get(channel) ?? null)));
      const impossible = CHANNELS.filter((channel) => row.get(channel) === IMPOSSIBLE);
      const missing = EXPECTED.filter((channel) => !row.has(channel as Channel));
      const raw =
        impossible.length === 0 ? null : Object.fromEntries(impossible.map((channel) => [channel, IMPOSSIBLE]));
      return line(key, values, missing, impossible, raw);
    })
    .sort();
}

/** The table in the same words. */
export async function storedReports(database: Database): Promise<string[]> {
  const rows = await database.query(
    `SELECT device_id, (extract(epoch FROM "timestamp") * 1000)::bigint AS ms, ${CHANNELS.join(', ')}, quality_flags, raw_values
     FROM telemetry`,
  );
  return rows
    .map((row) => {
      const key = `${row['device_id'] as string} ${new Date(Number(row['ms'])).toISOString()}`;
      const { missing, impossible } = explainFlags(Number(row['quality_flags']));
      return line(
        key,
        CHANNELS.map((channel) => row[channel]),
        missing,
        impossible,
        row['raw_values'],
      );
    })
    .sort();
}

const line = (key: string, ...content: unknown[]): string => `${key} ${JSON.stringify(content)}`;
