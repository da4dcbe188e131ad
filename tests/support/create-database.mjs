/** Creates an embedded database in the data directory that is named, and closes it. */
import { acquireDirectoryLock } from '../../dist/src/storage/directory-lock.js';
import { openDatabase } from '../../dist/src/storage/open-database.js';

const [dataDir] = process.argv.slice(2);
const lock = await acquireDirectoryLock(dataDir, { command: 'test' });
const database = await openDatabase(
  { dataDir, database: { url: '', poolSize: 1, statementTimeoutMs: 60_000 } },
  { emit: () => undefined },
);
await database.close();
lock.release();
