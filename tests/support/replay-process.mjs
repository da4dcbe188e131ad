/** Replays all dead letters of a database, some a transaction: `node replay-process.mjs URL`. Says how many after each. */
import { writeSync } from 'node:fs';
import { DatabaseLetterOffice } from '../../dist/src/dead-letters/dead-letter-office.js';
import { ServerDatabase } from '../../dist/src/storage/server-database.js';

const events = { emit: () => undefined };
const database = await ServerDatabase.open({ url: process.argv[2], poolSize: 2, statementTimeoutMs: 30_000 }, events);
const quality = { expectedChannels: ['temperature'], timelySeconds: 300 };
const office = new DatabaseLetterOffice({ database, events, quality, nowUs: () => Date.now() * 1000 });
let after;
do {
  const request = { all: true, limit: 20, ...(after === undefined ? {} : { after }) };
  const { letters, next } = await office.replay(request, `cli:${process.pid}`);
  writeSync(1, `${letters.filter(({ result }) => result === 'replayed').length}\n`);
  after = next ?? undefined;
} while (after !== undefined);
await database.close();
