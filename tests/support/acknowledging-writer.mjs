// A program for tests to kill: says what it finds, then inserts rows one transaction at a time and prints the number of
// each that was committed. One JSON object a line.
import { acquireDirectoryLock } from '../../dist/src/storage/directory-lock.js';
import { openDatabase } from '../../dist/src/storage/open-database.js';

const [dataDir] = process.argv.slice(2);
await acquireDirectoryLock(dataDir, { command: 'writer' });
const database = await openDatabase(
  { dataDir, database: { url: '', poolSize: 2, statementTimeoutMs: 60_000 } },
  { emit() {} },
);
await database.script('CREATE TABLE IF NOT EXISTS acknowledged (id integer PRIMARY KEY, filler text)');
const [found] = await database.query('SELECT count(*) AS rows, coalesce(max(id), 0) AS last FROM acknowledged');
process.stdout.write(`${JSON.stringify({ found })}\n`);
for (let id = found.last + 1; ; id++) {
  await database.execute('INSERT INTO acknowledged VALUES ($1, repeat($2, 200))', [id, 'x']);
  process.stdout.write(`${JSON.stringify({ written: id })}\n`);
}
