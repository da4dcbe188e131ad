// A program for tests to kill: inserts rows one transaction at a time and prints the number of each that was committed.
import { acquireDirectoryLock } from '../../dist/src/storage/directory-lock.js';
import { openDatabase } from '../../dist/src/storage/open-database.js';

const [dataDir, first] = process.argv.slice(2);
await acquireDirectoryLock(dataDir, { command: 'writer' });
const database = await openDatabase(
  { dataDir, database: { url: '', poolSize: 2, statementTimeoutMs: 60_000 } },
  { emit() {} },
);
await database.script('CREATE TABLE IF NOT EXISTS acknowledged (id integer PRIMARY KEY, filler text)');
for (let id = Number(first); ; id++) {
  await database.execute('INSERT INTO acknowledged VALUES ($1, repeat($2, 200))', [id, 'x']);
  process.stdout.write(`${id}\n`);
}
