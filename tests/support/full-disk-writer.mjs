// A program for tests: fills its disk (argument: a directory on a small one) through the embedded database, frees some
// space, goes on, and prints what it saw as one line of JSON.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { acquireDirectoryLock } from '../../dist/src/storage/directory-lock.js';
import { openDatabase } from '../../dist/src/storage/open-database.js';

const [disk] = process.argv.slice(2);
const ballast = join(disk, 'ballast');
const dataDir = join(disk, 'data');
const lock = await acquireDirectoryLock(dataDir, { command: 'test' });
const database = await openDatabase(
  { dataDir, database: { url: '', poolSize: 2, statementTimeoutMs: 60_000 } },
  { emit() {} },
);
await database.script('CREATE TABLE filler (id serial PRIMARY KEY, text text)');
writeFileSync(ballast, Buffer.alloc(50_000_000));

let acknowledged = 0;
const failures = [];
const insert = async () => {
  try {
    acknowledged += await database.execute(
      `INSERT INTO filler (text) SELECT repeat(md5(n::text), 30) FROM generate_series(1, 1000) n`,
    );
    return true;
  } catch (error) {
    failures.push({ code: error.code, retryable: error.retryable });
    return false;
  }
};
while (failures.length < 3) await insert();
rmSync(ballast);
const before = acknowledged;
while (!(await insert())) await sleep(100);
const [{ n }] = await database.query('SELECT count(*) AS n FROM filler');
await database.close();
lock.release();
process.stdout.write(JSON.stringify({ failures: failures.slice(0, 3), before, acknowledged, stored: n }));
