/**
 * What every implementation of the database promises (src/storage/database.ts), as one suite of tests. The tests of
 * an implementation call it with a way to open a database that is empty and theirs alone.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../src/storage/database.js';
import { sqlStateOf } from '../../src/storage/sql-state.js';
import { type DatabaseContext, failureOf, sleep } from './database-context.js';
import { describeCopies } from './database-copies.js';
import { describeTransactions } from './database-transactions.js';

export interface DatabaseUnderTest {
  readonly database: Database;
  /** Removes what the database stood on; the suite has closed it by then. */
  readonly dispose: () => Promise<void>;
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

    const context: DatabaseContext = { database: () => database, createTable, idsIn };
    describeTransactions(context);
    describeCopies(context);

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
