/** `npm run bench:server [-- NAME…] [-- --json]`: on RabbitMQ, Redis and a database server, which it starts itself. */
import { runBenchmarks } from './command-line.js';

await runBenchmarks({
  'pipeline-drain': async () => (await import('./server/drain.js')).benchmarkPipelineDrain(),
  'pipeline-single-messages': async () => (await import('./server/drain.js')).benchmarkSingleMessages(),
  'https-ingest': async () => (await import('./server/ingest.js')).benchmarkHttpsIngest(),
  'mixed-load': async () => (await import('./server/mixed.js')).benchmarkMixedLoad(),
  'naive-design': async () => (await import('./server/naive.js')).benchmarkNaiveDesign(),
  archive: async () => (await import('./server/archive.js')).benchmarkArchive(),
  restore: async () => (await import('./server/restore.js')).benchmarkRestore(),
  'legacy-migration': async () => (await import('./server/legacy-migration.js')).benchmarkLegacyMigration(),
});
