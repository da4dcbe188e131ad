/**
 * What every implementation of the database promises (src/storage/database.ts), as one suite of tests. The tests of
 * an implementation call it with a way to open a database that is empty and theirs alone.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database, Row, Session } from '../../src/storage/database.js';
import { sqlStateOf } from '../../src/storage/sql-state.js';
import { OperationalError } from '../../src/telemetry/operational-error.js';

export interface DatabaseUnderTest {
  readonly database: Database;
  /** Removes what the database stood on; the suite has closed it by then. */
  readonly dispose: () => Promise<void>;
}

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

const failureOf = async (call: Promise<unknown>): Promise<OperationalError> => {
  const error: unknown = await call.then(
    () => new Error('the call succeeded'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof OperationalError)) throw error;
  return error;
};

/** A promise and the function that resolves it: to let calls meet at a point. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

/** Rows of (id int, value real) as one binary COPY stream, cut into chunks of a size that fits nothing. */
function binaryRows(rows: readonly (readonly [id: number, value: number | null])[], chunkBytes = 1000): Uint8Array[] {
  const header = Buffer.alloc(19);
  header.write('PGCOPY\n\xff\r\n\0', 'latin1');
  const parts: Buffer[] = [header];
  for (const [id, value] of rows) {
    const row = Buffer.alloc(value === null ? 14 : 18);
    row.writeInt16BE(2, 0);
    row.writeInt32BE(4, 2);
    row.writeInt32BE(id, 6);
    row.writeInt32BE(value === null ? -1 : 4, 10);
    if (value !== null) row.writeFloatBE(value, 14);
    parts.push(row);
  }
  parts.push(Buffer.from([0xff, 0xff]));
  const stream = Buffer.concat(parts);
  const chunks: Uint8Array[] = [];
  for (let start = 0; start < stream.length; start += chunkBytes) {
    chunks.push(Uint8Array.from(stream.subarray(start, start + chunkBytes)));
  }
  return chunks;
}

export function describeDatabase(name: string, open: () => Promise<DatabaseUnderTest>): void {
  describe(`database contract: ${name}`, () => {
    let database: Database;
    let dispose: () => Promise<void>;
    let tables = 0;

    beforeAll(async () => {
      ({ database, dispose } = await open());
    });
    afterAll(async () => {
      await database.close();
      await dispose();
    });

    /** A table of its own for a test, (id int primary key, value real). */
    const createTable = async (): Promise<string> => {
      const table = `contract_${++tables}`;
      await database.script(`CREATE TABLE ${table} (id integer PRIMARY KEY, value real)`);
      return table;
    };
    const idsIn = async (table: string): Promise<unknown[]> =>
      (await database.query(`SELECT id FROM ${table} ORDER BY id`)).map((row) => row['id']);
    const valueOf = async (expression: string, parameters: readonly never[] = []): Promise<unknown> =>
      (await database.query(`SELECT ${expression} AS value`, parameters))[0]?.['value'];

    describe('values', () => {
      it.each<[string, unknown]>([
        [`'text'::text`, 'text'],
        [`''::text`, ''],
        [`NULL::text`, null],
        [`'žluťoučký 🦆'::varchar`, 'žluťoučký 🦆'],
        [`true`, true],
        [`false`, false],
        [`1::smallint`, 1],
        [`(-2147483648)::integer`, -2147483648],
        [`9007199254740991::bigint`, 9007199254740991],
        [`9007199254740993::bigint`, 9007199254740993n],
        [`(-9223372036854775808)::bigint`, -9223372036854775808n],
        [`0.1::real`, 0.1],
        [`0.1::float8`, 0.1],
        [`'NaN'::float8`, NaN],
        [`'-Infinity'::real`, -Infinity],
        [`123456789012345678.90::numeric`, '123456789012345678.90'],
        [`'2026-11-23 18:22:08.672341+00'::timestamptz`, '2026-11-23 18:22:08.672341+00'],
        [`'2026-11-23T20:22:08+02:00'::timestamptz`, '2026-11-23 18:22:08+00'],
        [`'infinity'::timestamptz`, 'infinity'],
        [`'2026-11-23 18:22:08.5'::timestamp`, '2026-11-23 18:22:08.5'],
        [`'2026-11-23'::date`, '2026-11-23'],
        [`'1 day 02:03:04'::interval`, '1 day 02:03:04'],
        [`'{"a": [1, null, "x"]}'::jsonb`, { a: [1, null, 'x'] }],
        [`'\\x00ff10'::bytea`, new Uint8Array([0, 255, 16])],
        [`'6ecd8c99-4036-403d-bf84-cf8400f67836'::uuid`, '6ecd8c99-4036-403d-bf84-cf8400f67836'],
        [`ARRAY['a', NULL, 'NULL', '', 'b"c\\d', '{}', ' x ']`, ['a', null, 'NULL', '', 'b"c\\d', '{}', ' x ']],
        [`ARRAY[1, 2, NULL]::integer[]`, [1, 2, null]],
        [`ARRAY[9007199254740993, 1]::bigint[]`, [9007199254740993n, 1]],
        [`ARRAY[[1, 2], [3, 4]]::float8[]`, [[1, 2], [3, 4]]], // prettier-ignore
        [`'[0:1]={1.5,2}'::real[]`, [1.5, 2]],
        [`'{}'::text[]`, []],
        [`ARRAY[true, false]`, [true, false]],
        [`ARRAY['2026-11-23 18:22:08.672341+00']::timestamptz[]`, ['2026-11-23 18:22:08.672341+00']],
        [`ARRAY['{"a": 1}']::jsonb[]`, [{ a: 1 }]],
        [`ARRAY['\\x01']::bytea[]`, [new Uint8Array([1])]],
      ])('%s', async (expression, value) => {
        expect(await valueOf(expression)).toEqual(value);
      });

      it('session in UTC', async () => {
        expect(await valueOf(`current_setting('TimeZone')`)).toBe('UTC');
        expect(await valueOf(`'2026-07-01 12:00'::timestamptz`)).toBe('2026-07-01 12:00:00+00');
      });
    });

    describe('parameters', () => {
      it('come back as they were sent', async () => {
        const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0'));
        const arrayOf = <T>(element: fc.Arbitrary<T>): fc.Arbitrary<(T | null)[]> =>
          fc.array(fc.option(element), { maxLength: 8 });
        const record = fc.record({
          text: fc.option(text),
          small: fc.option(fc.integer({ min: -32_768, max: 32_767 })),
          large: fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
          double: fc.option(fc.double()),
          single: fc.option(fc.float()),
          flag: fc.option(fc.boolean()),
          bytes: fc.option(fc.uint8Array()),
          json: fc.jsonValue(),
          texts: fc.option(arrayOf(text)),
          doubles: fc.option(arrayOf(fc.double())),
          flags: fc.option(arrayOf(fc.boolean())),
        });
        const roundTrip = fc.asyncProperty(record, async (sent) => {
          const [row] = await database.query(
            `SELECT $1::text AS text, $2::smallint AS small, $3::bigint AS large, $4::float8 AS double,
                    $5::real AS single, $6::boolean AS flag, $7::bytea AS bytes, $8::json AS json,
                    $9::text[] AS texts, $10::float8[] AS doubles, $11::boolean[] AS flags`,
            [
              sent.text,
              sent.small,
              sent.large,
              sent.double,
              sent.single,
              sent.flag,
              sent.bytes,
              JSON.stringify(sent.json),
              sent.texts,
              sent.doubles,
              sent.flags,
            ],
          );
          const large = sent.large === null ? null : Number(sent.large);
          expect({ ...row, single: null }).toEqual({
            ...sent,
            large: Number.isSafeInteger(large) ? large : sent.large,
            single: null,
            // The text format of JSON itself knows no negative zero.
            json: JSON.parse(JSON.stringify(sent.json)) as unknown,
          });
          const single = row?.['single'];
          expect(typeof single === 'number' ? Math.fround(single) : single).toBe(sent.single);
        });
        await fc.assert(roundTrip, { numRuns: 60 });
      });

      it('stand for jsonb as text', async () => {
        const [row] = await database.query('SELECT $1::jsonb AS value', ['{"a": 1}']);
        expect(row).toEqual({ value: { a: 1 } });
      });

      it('with a NUL are refused, since PostgreSQL has no such text', async () => {
        const error = await failureOf(database.query('SELECT $1::text', ['a\0b']));
        expect(sqlStateOf(error)).toBe('22021');
      });

      it('of which one is missing', async () => {
        expect((await failureOf(database.query('SELECT $1::int + $2::int', [1]))).retryable).toBe(false);
        expect(await valueOf('1')).toBe(1);
      });
    });

    describe('statements', () => {
      it('tell how many rows they touched', async () => {
        const table = await createTable();
        expect(await database.execute(`INSERT INTO ${table} SELECT generate_series(1, 10)`)).toBe(10);
        expect(await database.execute(`UPDATE ${table} SET value = 1 WHERE id <= $1`, [4])).toBe(4);
        expect(await database.execute(`SELECT * FROM ${table} WHERE value = 1`)).toBe(4);
        expect(await database.execute(`DELETE FROM ${table} WHERE id > 100`)).toBe(0);
        expect(await database.execute(`COMMENT ON TABLE ${table} IS 'a table'`)).toBe(0);
      });

      it('return the rows of RETURNING', async () => {
        const table = await createTable();
        const rows = await database.query(`INSERT INTO ${table} VALUES (1, 0.5), (2, NULL) RETURNING id, value`);
        expect(rows).toEqual([
          { id: 1, value: 0.5 },
          { id: 2, value: null },
        ]);
      });

      it('are one a call', async () => {
        expect(sqlStateOf(await failureOf(database.query('SELECT 1; SELECT 2')))).toBe('42601');
      });

      it('may return many rows', async () => {
        const rows = await database.query('SELECT n, n * 0.5::float8 AS half FROM generate_series(1, 20000) n');
        expect(rows).toHaveLength(20_000);
        expect(rows.at(-1)).toEqual({ n: 20_000, half: 10_000 });
      });

      it('all answer when many are made at once', async () => {
        const answers = await Promise.all(
          Array.from({ length: 200 }, (_, n) => database.query('SELECT $1::int AS n', [n])),
        );
        expect(answers.map(([row]) => row?.['n'])).toEqual(Array.from({ length: 200 }, (_, n) => n));
      });
    });

    describe('errors', () => {
      it.each([
        ['SELECT 1/0', '22012'],
        ['SELEC 1', '42601'],
        ['SELECT * FROM not_there', '42P01'],
        [`SELECT 'x'::int`, '22P02'],
      ])('%s', async (sql, sqlState) => {
        const error = await failureOf(database.query(sql));
        expect(error).toMatchObject({ code: 'statement_failed', retryable: false, cause: { code: sqlState } });
        expect(sqlStateOf(error)).toBe(sqlState);
        expect(await valueOf('1')).toBe(1);
      });

      it('name the violated constraint', async () => {
        const table = await createTable();
        await database.execute(`INSERT INTO ${table} VALUES (1)`);
        const error = await failureOf(database.execute(`INSERT INTO ${table} VALUES (1)`));
        expect(error).toMatchObject({ retryable: false, cause: { code: '23505', constraint: `${table}_pkey`, table } });
        expect(error.message).toContain('already exists');
      });
    });

    describe('script', () => {
      it('runs every statement, semicolons in quotes and comments aside', async () => {
        const table = await createTable();
        await database.script(`
          -- a comment; with a semicolon
          INSERT INTO ${table} VALUES (1);; /* another; /* nested; */ one */
          CREATE FUNCTION ${table}_f() RETURNS text LANGUAGE plpgsql AS $body$ BEGIN RETURN 'a;b'; END; $body$;
          COMMENT ON TABLE ${table} IS 'it''s; E''x\\';
          INSERT INTO ${table} VALUES (length(E'\\';')), (length(';;;')) -- the last one has no semicolon`);
        expect(await idsIn(table)).toEqual([1, 2, 3]);
        expect(await valueOf(`${table}_f()`)).toBe('a;b');
      });

      it('can hold what no transaction can', async () => {
        const table = await createTable();
        await database.script(`INSERT INTO ${table} VALUES (1); VACUUM ${table}; INSERT INTO ${table} VALUES (2)`);
        expect(await idsIn(table)).toEqual([1, 2]);
      });

      it('keeps what was done before it failed', async () => {
        const table = await createTable();
        const error = await failureOf(
          database.script(`INSERT INTO ${table} VALUES (1); SELECT 1/0; INSERT INTO ${table} VALUES (2)`),
        );
        expect(sqlStateOf(error)).toBe('22012');
        expect(await idsIn(table)).toEqual([1]);
      });

      it('leaves no transaction and no setting behind', async () => {
        const table = await createTable();
        const before = await valueOf(`current_setting('statement_timeout')`);
        await database.script(`SET statement_timeout = 1234; BEGIN; INSERT INTO ${table} VALUES (1)`);
        await failureOf(database.script('SET TimeZone = "Europe/Oslo"; BEGIN; SELECT 1/0'));
        const settings = await Promise.all(
          Array.from({ length: 8 }, () =>
            database.query(
              `SELECT current_setting('statement_timeout') AS timeout, current_setting('TimeZone') AS zone`,
            ),
          ),
        );
        for (const [row] of settings) expect(row).toEqual({ timeout: before, zone: 'UTC' });
        expect(await idsIn(table)).toEqual([]);
      });
    });

    describe('transaction', () => {
      it('commits and returns what the work returns', async () => {
        const table = await createTable();
        const result = await database.transaction(async (session) => {
          await session.execute(`INSERT INTO ${table} VALUES (1)`);
          await session.script(`INSERT INTO ${table} VALUES (2); INSERT INTO ${table} VALUES (3)`);
          await session.copyBinary(`${table} (id, value)`, binaryRows([[4, 4]]));
          return (await session.query(`SELECT count(*) AS n FROM ${table}`))[0]?.['n'];
        });
        expect(result).toBe(4);
        expect(await idsIn(table)).toEqual([1, 2, 3, 4]);
      });

      it('rolls back when the work throws, with the error of the work', async () => {
        const table = await createTable();
        const reason = new Error('enough');
        const call = database.transaction(async (session) => {
          await session.execute(`INSERT INTO ${table} VALUES (1)`);
          throw reason;
        });
        await expect(call).rejects.toBe(reason);
        expect(await idsIn(table)).toEqual([]);
      });

      it('is not taken for committed when a failure in it was ignored', async () => {
        const table = await createTable();
        const call = database.transaction(async (session) => {
          await session.execute(`INSERT INTO ${table} VALUES (1)`);
          await failureOf(session.query('SELECT 1/0'));
        });
        expect((await failureOf(call)).code).toBe('transaction_rolled_back');
        expect(await idsIn(table)).toEqual([]);
      });

      it('survives a failure behind a savepoint', async () => {
        const table = await createTable();
        await database.transaction(async (session) => {
          await session.execute(`INSERT INTO ${table} VALUES (1)`);
          await session.execute('SAVEPOINT before');
          await failureOf(session.execute(`INSERT INTO ${table} VALUES (1)`));
          await session.execute('ROLLBACK TO before');
          await session.execute(`INSERT INTO ${table} VALUES (2)`);
        });
        expect(await idsIn(table)).toEqual([1, 2]);
      });

      it('reports a constraint that fails at the commit', async () => {
        const table = await createTable();
        await database.script(`CREATE TABLE ${table}_c (id integer REFERENCES ${table} DEFERRABLE INITIALLY DEFERRED)`);
        const call = database.transaction((session) => session.execute(`INSERT INTO ${table}_c VALUES (7)`));
        expect(sqlStateOf(await failureOf(call))).toBe('23503');
        expect(await valueOf('1')).toBe(1);
      });

      it('refuses to write when it is read only', async () => {
        const table = await createTable();
        const call = database.transaction((session) => session.execute(`INSERT INTO ${table} VALUES (1)`), {
          readOnly: true,
          isolation: 'repeatable read',
        });
        expect(sqlStateOf(await failureOf(call))).toBe('25006');
      });

      it.each(['read committed', 'repeatable read'] as const)('runs as %s', async (isolation) => {
        const level = await database.transaction(
          async (session) => (await session.query('SHOW transaction_isolation'))[0]?.['transaction_isolation'],
          { isolation, statementTimeoutMs: 5000 },
        );
        expect(level).toBe(isolation);
      });

      it('keeps others out of its middle', async () => {
        const table = await createTable();
        const increment = (): Promise<void> =>
          database.transaction(async (session) => {
            const [row] = await session.query(`SELECT value FROM ${table} WHERE id = 1 FOR UPDATE`);
            await session.execute(`UPDATE ${table} SET value = $1 WHERE id = 1`, [(row?.['value'] as number) + 1]);
          });
        await database.execute(`INSERT INTO ${table} VALUES (1, 0)`);
        await Promise.all(Array.from({ length: 20 }, increment));
        expect(await database.query(`SELECT value FROM ${table}`)).toEqual([{ value: 20 }]);
      });

      it('ends with its work: a session kept beyond it refuses', async () => {
        let kept: Session | undefined;
        await database.transaction(async (session) => {
          kept = session;
          await session.query('SELECT 1');
        });
        await expect(kept?.query('SELECT 1')).rejects.toThrow('has ended');
      });

      it('does not wait for itself when its work calls the database', async () => {
        const table = await createTable();
        const call = database.transaction(async (session) => {
          await session.execute(`INSERT INTO ${table} VALUES (1)`);
          return idsIn(table);
        });
        // A server has another connection for it, which does not see the row yet; the only one of the embedded
        // database is taken, and saying so at once is better than waiting for ever.
        if (database.capabilities.concurrency > 1) expect(await call).toEqual([]);
        else await expect(call).rejects.toThrow('use the session');
      });
    });

    describe('copyBinary', () => {
      it('loads rows from chunks of any size and leaves the caller its buffers', async () => {
        const table = await createTable();
        const rows = Array.from({ length: 5000 }, (_, id): [number, number | null] => [id, id % 3 ? id / 4 : null]);
        const chunks = binaryRows(rows, 777);
        const copies = chunks.map((chunk) => chunk.slice());
        expect(await database.copyBinary(`${table} (id, value)`, chunks)).toBe(5000);
        expect(chunks).toEqual(copies);
        const stored = await database.query(`SELECT id, value FROM ${table} ORDER BY id`);
        expect(stored.map((row): Row[keyof Row][] => [row['id'], row['value']])).toEqual(rows);
      });

      it('loads nothing from a stream without rows', async () => {
        const table = await createTable();
        expect(await database.copyBinary(`${table} (id, value)`, binaryRows([]))).toBe(0);
      });

      it('loads all rows or none: one key twice', async () => {
        const table = await createTable();
        const rows = Array.from({ length: 20_000 }, (_, id): [number, number] => [id === 15_000 ? 3 : id, id]);
        const error = await failureOf(database.copyBinary(`${table} (id, value)`, binaryRows(rows, 65_536)));
        expect(error).toMatchObject({ retryable: false, cause: { code: '23505' } });
        expect(await idsIn(table)).toEqual([]);
      });

      it('is refused early without harm to what follows', async () => {
        const table = await createTable();
        await database.execute(`INSERT INTO ${table} VALUES (0)`);
        const rows = Array.from({ length: 300_000 }, (_, id): [number, number] => [id, id]);
        const chunks = binaryRows(rows, 65_536);
        expect(sqlStateOf(await failureOf(database.copyBinary(`${table} (id, value)`, chunks)))).toBe('23505');
        for (const chunk of chunks) chunk.fill(0);
        expect(await idsIn(table)).toEqual([0]);
        expect(await database.copyBinary(`${table} (id, value)`, binaryRows([[1, 1]]))).toBe(1);
      });

      it.each<[string, Uint8Array[], string]>([
        ['no stream at all', [], '22P04'],
        ['not the binary format', [new Uint8Array(64).fill(65)], '22P04'],
        ['cut off in a row', [Uint8Array.from(Buffer.concat(binaryRows([[1, 1]])).subarray(0, 30))], '22P04'],
      ])('refuses %s', async (_, chunks, sqlState) => {
        const table = await createTable();
        expect(sqlStateOf(await failureOf(database.copyBinary(`${table} (id, value)`, chunks)))).toBe(sqlState);
        expect(await idsIn(table)).toEqual([]);
      });

      it('into a table that is not there', async () => {
        const error = await failureOf(database.copyBinary('not_there (id, value)', binaryRows([[1, 1]])));
        expect(sqlStateOf(error)).toBe('42P01');
      });

      it('rolls back with its transaction', async () => {
        const table = await createTable();
        const call = database.transaction(async (session) => {
          await session.copyBinary(`${table} (id, value)`, binaryRows([[1, 1]]));
          await session.copyBinary(`${table} (id, value)`, binaryRows([[1, 1]]));
        });
        expect(sqlStateOf(await failureOf(call))).toBe('23505');
        expect(await idsIn(table)).toEqual([]);
      });
    });

    describe('copyOut', () => {
      const bytesOf = async (session: Pick<Database, 'copyOut'>, sql: string): Promise<Buffer> => {
        const chunks: Uint8Array[] = [];
        for await (const chunk of session.copyOut(sql)) chunks.push(Uint8Array.from(chunk));
        return Buffer.concat(chunks);
      };

      it('gives the rows of a query as copyBinary takes them, in a transaction too', async () => {
        const table = await createTable();
        const rows = Array.from({ length: 20_000 }, (_, id): [number, number | null] => [id, id % 3 ? id / 4 : null]);
        const stream = Buffer.concat(binaryRows(rows));
        await database.copyBinary(`${table} (id, value)`, [stream]);
        const sql = `SELECT id, value FROM ${table} ORDER BY id`;
        expect((await bytesOf(database, sql)).equals(stream)).toBe(true);
        expect((await bytesOf(database, `${sql} LIMIT 0`)).equals(Buffer.concat(binaryRows([])))).toBe(true);
        await database.transaction(async (session) => {
          await session.execute(`DELETE FROM ${table} WHERE id > 0`);
          expect((await bytesOf(session, sql)).equals(Buffer.concat(binaryRows([[0, null]])))).toBe(true);
          expect(await session.query(`SELECT count(*)::int AS n FROM ${table}`)).toEqual([{ n: 1 }]);
        });
      });

      it('says what is wrong with the query, and harms nothing that follows', async () => {
        expect(sqlStateOf(await failureOf(bytesOf(database, 'SELECT FROM not_there')))).toBe('42P01');
        const error = await failureOf(bytesOf(database, 'SELECT 1 / (5000 - n) FROM generate_series(1, 6000) n'));
        expect(sqlStateOf(error)).toBe('22012');
        expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
      });

      it('can be left half-way', async () => {
        const half = async (session: Pick<Database, 'copyOut'>): Promise<void> => {
          for await (const chunk of session.copyOut('SELECT n FROM generate_series(1, 100000) n'))
            if (chunk.length > 0) return;
        };
        await half(database);
        for (let times = 0; times < 4; times++) await half(database);
        expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
      });
    });

    describe('tryExclusive', () => {
      it('lets one in and sends the other away at once', async () => {
        const { opened, open: finish } = gate();
        const inside = gate();
        const first = database.tryExclusive('job', async () => {
          inside.open();
          await opened;
          return 'first';
        });
        await inside.opened;
        expect(await database.tryExclusive('job', async () => 'second')).toBeUndefined();
        expect(await database.tryExclusive('another job', async () => 'another')).toBe('another');
        finish();
        expect(await first).toBe('first');
        expect(await database.tryExclusive('job', async () => 'third')).toBe('third');
      });

      it('is free again when the work throws', async () => {
        const reason = new Error('no');
        await expect(database.tryExclusive('job', () => Promise.reject(reason))).rejects.toBe(reason);
        expect(await database.tryExclusive('job', async () => true)).toBe(true);
      });

      it('lets the work use the database', async () => {
        expect(await database.tryExclusive('job', () => database.query('SELECT 1 AS one'))).toEqual([{ one: 1 }]);
      });
    });

    // Last: the database is closed after it.
    describe('close', () => {
      it('waits for what is under way and refuses what comes later', async () => {
        const table = await createTable();
        const transaction = database.transaction(async (session) => {
          await session.execute(`INSERT INTO ${table} VALUES (1)`);
          await sleep(50);
          return (await session.query(`SELECT id FROM ${table}`)).length;
        });
        const waiting = Array.from({ length: 20 }, () => database.query('SELECT 1 AS one'));
        const closed = database.close();
        const late = await failureOf(database.query('SELECT 1'));
        expect(late).toMatchObject({ code: 'database_closed', retryable: false });
        expect(await transaction).toBe(1);
        for (const answer of await Promise.all(waiting)) expect(answer).toEqual([{ one: 1 }]);
        await closed;
        await database.close();
        expect((await failureOf(database.transaction(async () => 1))).code).toBe('database_closed');
        expect((await failureOf(database.copyBinary('t', []))).code).toBe('database_closed');
        expect((await failureOf(database.tryExclusive('job', async () => 1))).code).toBe('database_closed');
      });
    });
  });
}
