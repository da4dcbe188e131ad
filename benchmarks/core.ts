/**
 * The pure core alone, on one core: decode, validate, convert, score, operating state, rules, detect, encode for COPY; with the
 * detector of level shifts on all channels, which is the default, and with the z-score of the temperature.
 * Beside it JSON.parse of the same bytes: what it costs to read them the usual way, before anything is done with them.
 */
import type { Detector } from '../src/pipeline/detection/detector.js';
import { LevelShiftDetector } from '../src/pipeline/detection/level-shift-detector.js';
import { ZScoreDetector } from '../src/pipeline/detection/z-score-detector.js';
import { DeviceTable } from '../src/pipeline/device-table.js';
import { Evaluator } from '../src/pipeline/evaluator.js';
import { fillBatch } from '../src/pipeline/prepared-batch.js';
import { TemperatureBaseline } from '../src/pipeline/quality/temperature-baseline.js';
import type { OutgoingMessage } from '../src/queue/queue.js';
import { CopyEncoder } from '../src/storage/copy-encoder.js';
import { ReadingBatch } from '../src/telemetry/reading-batch.js';
import { measurement, median, type Measurement } from './measurement.js';
import { RECORDS_PER_MESSAGE, telemetryMessages } from './workload.js';

const RECORDS = 200_000;
const BATCH_RECORDS = 10_000;
const ROUNDS = 7;

type MakeDetector = (baseline: TemperatureBaseline) => Detector;

export async function benchmarkCore(): Promise<Measurement[]> {
  const messages = telemetryMessages({ records: RECORDS, endUs: Date.now() * 1000 });
  const levelShift: number[] = [];
  const zScore: number[] = [];
  const limits: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    levelShift.push(recordsPerSecond(() => runCore(messages, () => new LevelShiftDetector())));
    zScore.push(
      recordsPerSecond(() => runCore(messages, (baseline) => new ZScoreDetector(baseline, { zThreshold: 3 }))),
    );
    limits.push(recordsPerSecond(() => parseOnly(messages)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const beside = (name: string, rates: readonly number[]): Measurement =>
    measurement(name, median(rates), 'records/s', 'JSON.parse of the same bytes', median(limits));
  return [beside('core', levelShift), beside('core-z-score', zScore)];
}

function recordsPerSecond(run: () => void): number {
  const startedMs = performance.now();
  run();
  return (RECORDS / (performance.now() - startedMs)) * 1000;
}

function runCore(messages: readonly OutgoingMessage[], makeDetector: MakeDetector): void {
  const devices = new DeviceTable({
    maxDevices: 100_000,
    expectedChannels: ['temperature', 'vibration', 'pressure', 'flow_rate'],
  });
  const baseline = new TemperatureBaseline({ timeConstantHours: 24, warmUpRecords: 60 });
  const evaluator = new Evaluator({ devices, baseline, detector: makeDetector(baseline), timelySeconds: 300 });
  const batch = new ReadingBatch(BATCH_RECORDS);
  const encoder = new CopyEncoder();
  const nowUs = Date.now() * 1000;
  const step = BATCH_RECORDS / RECORDS_PER_MESSAGE;
  for (let at = 0; at < messages.length; at += step) {
    const part = messages.slice(at, at + step);
    batch.clear();
    const refused = fillBatch(part, nowUs, batch, devices);
    if (refused.length > 0) throw new Error(`the workload is not good: ${refused[0]?.rejection.message ?? ''}`);
    evaluator.reserve();
    evaluator.evaluate(batch);
    encoder.encode(batch, nowUs);
  }
}

function parseOnly(messages: readonly OutgoingMessage[]): void {
  for (const { body } of messages)
    JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
}
