// A program for tests: runs jobs of one lane on a server without a pause, until SIGTERM. Each run leaves a row where only
// one can be at a time, so that two runs at once fail. Says `started` when it runs.
import { JobRunner } from '../../dist/src/jobs/job-runner.js';
import { openDatabase } from '../../dist/src/storage/open-database.js';

const [url] = process.argv.slice(2);
const events = { emit: () => undefined };
const database = await openDatabase(
  { dataDir: '', database: { url, poolSize: 4, statementTimeoutMs: 20_000 } },
  events,
);
const jobs = ['one', 'two'].map((name) => ({
  name,
  description: name,
  lane: 'chunks',
  intervalSeconds: 0.001,
  initialDelaySeconds: 0,
  async run({ database: own }) {
    // A killed process leaves its row: its run is over once the log says so, or nobody has the lane.
    await own.execute('INSERT INTO inside (lane, pid) VALUES ($1, $2)', ['chunks', process.pid]);
    await own.query('SELECT pg_sleep(0.01)');
    await own.execute('DELETE FROM inside WHERE pid = $1', [process.pid]);
    await own.execute('INSERT INTO ran (pid) VALUES ($1)', [process.pid]);
    return { detail: {}, more: true };
  },
  findFault: () => Promise.resolve(null),
}));
const runner = new JobRunner({ database, events, jobs });
runner.start();
process.stdout.write('started\n');
process.once('SIGTERM', () => void runner.stop().then(() => database.close()));
