/** The aggregates computed the slow and obvious way, to compare with. */
import { CHANNELS, type ChannelName } from '../../src/telemetry/channels.js';
import { CHANNEL_BITS, QualityFlag, splitFlags } from '../../src/telemetry/quality-flags.js';

/** A row of telemetry as the tests make it; channel values are float32. */
export interface TestRow {
  readonly device_id: string;
  /** Epoch milliseconds. */
  readonly timestampMs: number;
  readonly values: Readonly<Partial<Record<ChannelName, number>>>;
  readonly data_quality_score: number | null;
  readonly is_anomaly: boolean;
  readonly quality_flags: number | null;
  readonly operating_state: number | null;
}

export type Figures = Record<string, number | null>;

/** Map.groupBy came with Node 21. */
function groupBy<T, K>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

const mean = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;

function deviation(values: readonly number[]): number | null {
  const average = mean(values);
  if (average === null || values.length < 2) return null;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - average) ** 2, 0) / (values.length - 1));
}

/** Linear interpolation between the closest ranks, as percentile_cont. */
function percentile95(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const rank = 0.95 * (sorted.length - 1);
  const below = sorted[Math.floor(rank)] as number;
  return below + (rank - Math.floor(rank)) * ((sorted[Math.ceil(rank)] as number) - below);
}

const DISBELIEVED = QualityFlag.rateOfChange | QualityFlag.frozenReading | QualityFlag.gaugeLoss;

/** Discharge, standstill, impossible values and readings that the rules do not believe. */
export function isCoherent({ values, quality_flags, operating_state }: TestRow): boolean {
  const { low, high } = splitFlags(quality_flags ?? 0);
  if (high !== 0 || (low & DISBELIEVED) !== 0) return false;
  if ((values.motor_current ?? 0) > 5 && values.drive_frequency === 0) return false;
  const { discharge_pressure: discharge = Infinity, intake_pressure: intake = -Infinity } = values;
  return !(operating_state === 3 && discharge < intake);
}

const valuesOf = (rows: readonly TestRow[], channel: ChannelName): number[] =>
  rows.flatMap(({ values }) => values[channel] ?? []);

/** What a bucket of this width should show; `stepSeconds` is max(60, the expected interval of the device). */
function figuresOf(rows: readonly TestRow[], bucketSeconds: number, stepSeconds: number): Figures {
  const figures: Figures = {};
  for (const { name, stem } of CHANNELS) {
    const values = valuesOf(rows, name);
    figures[`${stem}_n`] = values.length;
    figures[`${stem}_avg`] = mean(values);
    figures[`${stem}_min`] = values.length === 0 ? null : Math.min(...values);
    figures[`${stem}_max`] = values.length === 0 ? null : Math.max(...values);
    if (['temp', 'vib', 'motor_current', 'motor_temp'].includes(stem)) {
      figures[`${stem}_stddev`] = deviation(values);
      if (bucketSeconds === 3600) figures[`${stem}_p95`] = percentile95(values);
    }
  }
  const assessed = rows.filter(({ quality_flags }) => quality_flags !== null);
  const low = (row: TestRow): number => splitFlags(row.quality_flags ?? 0).low;
  const inState = (state: number): number => rows.filter((row) => row.operating_state === state).length;
  const states = [1, 2, 3, 4].map(inState);
  const known = states.reduce((sum, count) => sum + count, 0);
  const minutes = groupBy(rows, ({ timestampMs }) => Math.floor(timestampMs / 60_000));
  const minuteRates = [...minutes.values()].flatMap((minute) => mean(valuesOf(minute, 'flow_rate')) ?? []);
  const rates = valuesOf(rows, 'flow_rate');
  const sum = (values: readonly number[]): number | null =>
    values.length === 0 ? null : values.reduce((total, value) => total + value, 0);
  const rateSum = sum(minuteRates);
  Object.assign(figures, {
    sample_count: rows.length,
    anomaly_count: rows.filter(({ is_anomaly }) => is_anomaly).length,
    avg_quality: mean(rows.flatMap(({ data_quality_score }) => data_quality_score ?? [])),
    assessed_count: assessed.length,
    complete_count: assessed.filter((row) => (low(row) & CHANNEL_BITS) === 0).length,
    timely_count: assessed.filter((row) => (low(row) & QualityFlag.lateArrival) === 0).length,
    coherent_count: assessed.filter(isCoherent).length,
    off_count: states[0] ?? 0,
    starting_count: states[1] ?? 0,
    running_count: states[2] ?? 0,
    transient_count: states[3] ?? 0,
    running_percentage: known === 0 ? null : (100 * (states[2] ?? 0)) / known,
    flow_total: sum(rates),
    flow_volume_bbl: rateSum === null ? null : (rateSum * stepSeconds) / 86_400,
  });
  if (bucketSeconds > 60) {
    figures['minutes_with_data'] = minutes.size;
    figures['uptime_percentage'] = Math.min(100, (100 * minutes.size * stepSeconds) / bucketSeconds);
  }
  return figures;
}

/** `device bucket-start-in-epoch-seconds` → figures. */
export function bruteForce(
  rows: readonly TestRow[],
  bucketSeconds: number,
  stepSeconds: (deviceId: string) => number,
): Map<string, Figures> {
  const buckets = groupBy(
    rows,
    (row) => `${row.device_id} ${Math.floor(row.timestampMs / 1000 / bucketSeconds) * bucketSeconds}`,
  );
  return new Map(
    [...buckets].map(([key, bucket]) => [
      key,
      figuresOf(bucket, bucketSeconds, stepSeconds((bucket[0] as TestRow).device_id)),
    ]),
  );
}
