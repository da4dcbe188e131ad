/** Rows as the pipeline makes them of messages, encoded beforehand: what a raw COPY is given as the peer or limit. */
import { ZScoreDetector } from '../src/pipeline/detection/z-score-detector.js';
import { DeviceTable } from '../src/pipeline/device-table.js';
import { Evaluator } from '../src/pipeline/evaluator.js';
import { fillBatch } from '../src/pipeline/prepared-batch.js';
import { TemperatureBaseline } from '../src/pipeline/quality/temperature-baseline.js';
import type { OutgoingMessage } from '../src/queue/queue.js';
import { CopyEncoder } from '../src/storage/copy-encoder.js';
import { ReadingBatch } from '../src/telemetry/reading-batch.js';

/** What the pipeline grows to under backlog. */
const BATCH_RECORDS = 10_000;

/** Complete binary COPY streams for `TELEMETRY_COPY_TARGET`, one a batch, in chunks. */
export function* encodedStreams(messages: readonly OutgoingMessage[]): Generator<Uint8Array[]> {
  const devices = new DeviceTable({
    maxDevices: 100_000,
    expectedChannels: ['temperature', 'vibration', 'pressure', 'flow_rate'],
  });
  const baseline = new TemperatureBaseline({ timeConstantHours: 24, warmUpRecords: 60 });
  const detector = new ZScoreDetector(baseline, { zThreshold: 3 });
  const evaluator = new Evaluator({ devices, baseline, detector, timelySeconds: 300 });
  const encoder = new CopyEncoder();
  const batch = new ReadingBatch(BATCH_RECORDS);
  const nowUs = Date.now() * 1000;
  const step = Math.floor(BATCH_RECORDS / (messages[0]?.headers.records ?? 1));
  for (let at = 0; at < messages.length; at += step) {
    const part = messages.slice(at, at + step);
    batch.clear();
    const refused = fillBatch(part, nowUs, batch, devices);
    if (refused.length > 0) throw new Error(`the workload is not good: ${refused[0]?.rejection.message ?? ''}`);
    evaluator.reserve();
    evaluator.evaluate(batch);
    yield encoder.encode(batch, nowUs).map((chunk) => Uint8Array.from(chunk));
  }
}
