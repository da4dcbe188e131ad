/** Dead letters from the queue into the table, on both databases, through outages. */
import fc from 'fast-check';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { decodeDeadLetter, encodeDeadLetter } from '../../src/queue/dead-letter.js';
import { startDeadLetterDrainer } from '../../src/queue/dead-letter-drainer.js';
import { deadLetterId } from '../../src/queue/dead-letter-rows.js';
import { openEmbeddedBroker } from '../../src/queue/embedded-broker.js';
import type { Broker } from '../../src/queue/queue.js';
import type { Database } from '../../src/storage/database.js';
import { EmbeddedDatabase } from '../../src/storage/embedded-database.js';
import { migrate } from '../../src/storage/migrator.js';
import { ServerDatabase } from '../../src/storage/server-database.js';
import { message } from '../contracts/queue.js';
import { type PostgresServer, startPostgres } from '../support/postgres.js';
import { recordEvents } from '../support/record-events.js';
import { createTemporaryDirectory, temporaryDirectory } from '../support/temporary-directory.js';

const TIMESTAMP_US = 1_790_000_000_123_456;

/** @param message how many microseconds after the first one its message was received */
function letter(original: Uint8Array | string, code = 'conflict', message = 0) {
  const bytes = typeof original === 'string' ? Buffer.from(original) : original;
  return encodeDeadLetter({
    original: bytes,
    code,
    deviceId: 'esp-1',
    error: 'contradicts',
    timestampUs: TIMESTAMP_US,
    receivedUs: TIMESTAMP_US + message,
  });
}

interface LetterRow {
  [column: string]: unknown;
  readonly id: string;
  readonly original: Uint8Array;
  readonly occurrences: number;
}

const lettersIn = (database: Database) => database.query<LetterRow>('SELECT * FROM dead_letters ORDER BY code');

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}

const openBroker = (directory: string): Promise<Broker> =>
  openEmbeddedBroker({ directory, maxBytes: 2 ** 28, segmentBytes: 2 ** 20, events: recordEvents() });

/** A broker in a fresh directory and a drainer from it into `database`, until the test has finished. */
async function draining(database: Database) {
  const broker = await openBroker(join(temporaryDirectory('letters'), 'queue'));
  const events = recordEvents();
  const drainer = await startDeadLetterDrainer({ failed: broker.failed, database, events });
  onTestFinished(async () => {
    await drainer.stop();
    await broker.close();
  });
  return { failed: broker.failed, events, drained: () => until(() => broker.failed.depth().messages === 0) };
}

test.each([
  ['{"error":"E","original_message":{"a": 1e999,"a":2},"timestamp":"2026-11-23T18:22:08"}', '{"a": 1e999,"a":2}'],
  [String.raw`{"original\u005fmessage":[ "}" ] ,"error":"E"}`, '[ "}" ]'],
  ['{"original_message":{"x":1},"original_message":"text","error":"E","timestamp":7}', 'text'],
])('a letter of another program, %s, keeps the bytes of its record', (body, original) => {
  expect(decodeDeadLetter(Buffer.from(body))?.original.toString()).toBe(original);
});

test.each(['null', '[]', '"text"', '{"error":"E"}', '{"original_message":7,"error":"E"}', '{"original_message":"x"}'])(
  '%s is no dead letter',
  (body) => expect(decodeDeadLetter(Buffer.from(body))).toBeUndefined(),
);

test('any bytes survive encoding, as text where they are UTF-8', () => {
  const bytes = fc.oneof(
    fc.uint8Array(),
    fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
  );
  fc.assert(
    fc.property(bytes, (original) => {
      const decoded = decodeDeadLetter(letter(original).body);
      expect(decoded?.original.equals(original)).toBe(true);
      expect(decoded?.timestamp).toBe('2026-09-21T14:13:20.123456Z');
    }),
  );
  expect(JSON.parse(Buffer.from(letter('{"a":1}').body).toString())).toMatchObject({ original_message: '{"a":1}' });
});

function describeDraining(kind: string, database: () => Database): void {
  const stateOf = async (code: string) => {
    const [row] = await database().query(
      'SELECT occurrences, state, outcome, length(original) AS size FROM dead_letters WHERE code = $1',
      [code],
    );
    return row;
  };
  const settle = (code: string, state: string) =>
    database().execute(`UPDATE dead_letters SET state = $2, outcome = '{"stored": 1}', original = '' WHERE code = $1`, [
      code,
      state,
    ]);

  describe(`dead letters into the ${kind} database`, () => {
    test('bytes with NUL, bytes that are not UTF-8, letters of third parties: all arrive as they came', async () => {
      const { failed, drained } = await draining(database());
      const originals = [
        ['a-plain', Buffer.from('{"device_id":"esp-1"}')],
        ['b-nul', Buffer.from('{"device_id":"a\0b"}')],
        ['c-binary', Buffer.from([0, 0xff, 0xfe, 0x80, 10])],
        ['d-empty', Buffer.alloc(0)],
        ['e-large', Buffer.alloc(2_000_000, 'x')],
      ] as const;
      await failed.publish(originals.map(([code, original]) => letter(original, code)));
      const strange = { code: 'f\0strange', deviceId: 'esp \0 \ud800 7' };
      await failed.publish([
        { body: Buffer.from('not a letter'), headers: { ...message(0).headers, failure: strange } },
      ]);
      await drained();
      const rows = await lettersIn(database());
      expect(rows.map(({ code }) => code)).toEqual([...originals.map(([code]) => code), 'f␀strange']);
      for (const [at, [code, original]] of originals.entries()) {
        const row = rows[at] as LetterRow;
        expect(Buffer.from(row.original).equals(original)).toBe(true);
        expect(row).toMatchObject({
          id: deadLetterId(original, code),
          state: 'new',
          device_id: 'esp-1',
          occurrences: 1,
        });
        expect(row).toMatchObject({ received_at: '2026-09-21 14:13:20.123456+00', error: 'contradicts' });
        expect(row['headers']).toMatchObject({ source: 'pipeline', failure: { code } });
      }
      const foreign = rows.at(-1) as LetterRow;
      expect(Buffer.from(foreign.original).toString()).toBe('not a letter');
      expect(foreign['device_id']).toBe('esp ␀ \ufffd 7');
    });

    test.each([Number.NaN, -1, 1e300, 253_402_300_800_000_000])(
      'a letter of no possible time (%d) is dated by its arrival, and blocks nothing behind it',
      async (receivedUs) => {
        const { failed, drained } = await draining(database());
        const headers = { ...message(0).headers, receivedUs, failure: { code: 'undated', deviceId: null } };
        await failed.publish([{ body: Buffer.from(`letter of ${receivedUs}`), headers }]);
        await drained();
        const rows = await database().query(
          `SELECT now() - received_at < interval '1 minute' AS recent FROM dead_letters WHERE code = 'undated'`,
        );
        expect(rows).toEqual([{ recent: true }]);
        await database().execute(`DELETE FROM dead_letters WHERE code = 'undated'`);
      },
    );

    test('the same bytes for the same reason are one letter that counts, and is opened again', async () => {
      const { failed, drained } = await draining(database());
      const first = [letter('same', 'again', 1), letter('same', 'again', 2), letter('same', 'against', 3)];
      await failed.publish(first);
      await drained();
      await settle('again', 'replayed');
      await failed.publish([letter('same', 'again', 4)]);
      await drained();
      expect(await stateOf('again')).toEqual({ occurrences: 3, state: 'new', outcome: null, size: 4 });
      expect(await stateOf('against')).toEqual({ occurrences: 1, state: 'new', outcome: null, size: 4 });
    });

    test('a copy of a letter that is known changes nothing, whatever became of it meanwhile', async () => {
      const { failed, drained } = await draining(database());
      const messages = [1, 2].map((message) => letter('copied', 'copied', message));
      await failed.publish([...messages, ...messages]);
      await drained();
      expect(await stateOf('copied')).toMatchObject({ occurrences: 2, state: 'new' });
      for (const state of ['replayed', 'purged']) {
        await settle('copied', state);
        // The pipeline has crashed and refuses the older message anew; the drainer has, and gets the newer one again.
        await failed.publish(messages);
        await drained();
        expect(await stateOf('copied')).toMatchObject({ occurrences: 2, state, outcome: { stored: 1 }, size: 0 });
      }
      await failed.publish([letter('copied', 'copied', 3)]);
      await drained();
      expect(await stateOf('copied')).toEqual({ occurrences: 3, state: 'new', outcome: null, size: 6 });
    });

    test('a message that says nothing about its reception counts each time', async () => {
      const { failed, drained } = await draining(database());
      const headers = { ...message(0).headers, receivedUs: null, failure: { code: 'unsaid', deviceId: null } };
      for (let round = 0; round < 2; round++) {
        await failed.publish([{ body: Buffer.from('raw'), headers }]);
        await drained();
      }
      expect(await stateOf('unsaid')).toMatchObject({ occurrences: 2, state: 'new' });
    });
  });
}

describe('with a server', () => {
  let postgres: PostgresServer;
  let database: Database;

  beforeAll(async () => {
    postgres = await startPostgres({ durable: true });
    const config = { url: postgres.url, poolSize: 4, statementTimeoutMs: 10_000 };
    database = await ServerDatabase.open(config, recordEvents());
    await migrate(database, { events: recordEvents(), subset: 'plain' });
  });
  afterAll(async () => {
    await database.close();
    await postgres.remove();
  });

  describeDraining('server', () => database);

  test('an outage: letters stay queued, through a restart of the program too, and arrive afterwards once', async () => {
    const directory = join(temporaryDirectory('letters'), 'queue');
    await database.execute('DELETE FROM dead_letters');
    await postgres.kill();
    let broker = await openBroker(directory);
    const events = recordEvents();
    let drainer = await startDeadLetterDrainer({ failed: broker.failed, database, events });
    await broker.failed.publish([letter('one'), letter('two')]);
    await until(() => events.named('write_retried').length >= 2);
    await drainer.stop();
    await broker.close();

    broker = await openBroker(directory);
    expect(broker.failed.depth().messages).toBe(2);
    drainer = await startDeadLetterDrainer({ failed: broker.failed, database, events });
    await broker.failed.publish([letter('three')]);
    await postgres.restart();
    await until(() => broker.failed.depth().messages === 0);
    await drainer.stop();
    await broker.close();
    const rows = await lettersIn(database);
    expect(rows.map(({ original }) => Buffer.from(original).toString()).sort()).toEqual(['one', 'three', 'two']);
    expect(rows.map(({ occurrences }) => occurrences)).toEqual([1, 1, 1]);
  });

  test('a table that is missing is waited for: nothing is given up', async () => {
    await database.script('ALTER TABLE dead_letters RENAME TO elsewhere');
    const { failed, drained, events } = await draining(database);
    await failed.publish([letter('early', 'waits')]);
    await until(() => events.named('write_retried').length >= 1);
    expect(failed.depth().messages).toBe(1);
    await database.script('ALTER TABLE elsewhere RENAME TO dead_letters');
    await drained();
    expect(await database.query(`SELECT 1 FROM dead_letters WHERE code = 'waits'`)).toHaveLength(1);
  });

  test('stop writes what is in hand', async () => {
    const broker = await openBroker(join(temporaryDirectory('letters'), 'queue'));
    await broker.failed.publish(Array.from({ length: 500 }, (_, id) => letter(String(id), 'in-hand')));
    const drainer = await startDeadLetterDrainer({ failed: broker.failed, database, events: recordEvents() });
    await drainer.stop();
    const [row] = await database.query<{ count: number }>(`SELECT count(*) FROM dead_letters WHERE code = 'in-hand'`);
    expect((row?.count ?? 0) + broker.failed.depth().messages).toBe(500);
    await broker.close();
  });
});

describe('embedded', () => {
  const directory = createTemporaryDirectory('letters-database');
  let database: Database;

  beforeAll(async () => {
    database = await EmbeddedDatabase.open(directory.path, recordEvents());
    await migrate(database, { events: recordEvents() });
  });
  afterAll(async () => {
    await database.close();
    await directory.remove();
  });

  describeDraining('embedded', () => database);
});
