/** The progress bar of an import: share of the bytes, rate and time to go, on stderr. */
import { SingleBar } from 'cli-progress';

export interface ImportProgressBar {
  /** @param records handed over by this run so far */
  update(bytes: number, records: number): void;
  stop(): void;
}

/** Where stderr is no terminal, a line is written at this interval instead. */
const LINE_INTERVAL_MS = 5000;
const RATE_WINDOW_MS = 5000;

export function createImportProgressBar(totalBytes: number): ImportProgressBar {
  const bar = new SingleBar({
    format: '{bar} {percentage}% | {records} records | {rate} records/s | {eta_formatted} to go',
    stream: process.stderr,
    noTTYOutput: true,
    notTTYSchedule: LINE_INTERVAL_MS,
    hideCursor: true,
    etaBuffer: 50,
  });
  let windowStartMs = performance.now();
  let windowRecords = 0;
  let rate = '…';
  bar.start(Math.max(1, totalBytes), 0, { records: 0, rate });
  return {
    update(bytes, records) {
      const nowMs = performance.now();
      const elapsedMs = nowMs - windowStartMs;
      if (elapsedMs > 500) rate = String(Math.round(((records - windowRecords) / elapsedMs) * 1000));
      if (elapsedMs > RATE_WINDOW_MS) {
        windowStartMs = nowMs;
        windowRecords = records;
      }
      bar.update(Math.round(bytes), { records, rate });
    },
    stop: () => bar.stop(),
  };
}
