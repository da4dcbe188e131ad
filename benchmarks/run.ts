/** `npm run bench [-- NAME…] [-- --json]`: measures, prints each figure beside its peer and their ratio. */
import { runBenchmarks } from './command-line.js';

await runBenchmarks({
  core: async () => (await import('./core.js')).benchmarkCore(),
  'queue-append': async () => [await (await import('./queue-append.js')).benchmarkQueueAppend()],
  'end-to-end-embedded': async () => [await (await import('./end-to-end-embedded.js')).benchmarkEndToEndEmbedded()],
  compression: async () => [await (await import('./compression.js')).benchmarkCompression()],
  'aggregate-24h': async () => (await import('./aggregate-24h.js')).benchmarkAggregate24h(),
  quality: async () => (await import('./quality.js')).benchmarkQuality(),
  'storage-30-days': async () => (await import('./storage-30-days.js')).benchmarkStorage30Days(),
});
