/** The contract of databases: rows in and out by COPY. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { Database, Row } from '../../src/storage/database.js';
import { sqlStateOf } from '../../src/storage/sql-state.js';
import { type DatabaseContext, binaryRows, failureOf } from './database-context.js';

export function describeCopies({ createTable, idsIn, ...context }: DatabaseContext): void {
  let database: Database;
  beforeAll(() => {
    database = context.database();
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
}
