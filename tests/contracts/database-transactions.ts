/** The contract of databases: transactions, and who may hold what alone. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { Database, Session } from '../../src/storage/database.js';
import { sqlStateOf } from '../../src/storage/sql-state.js';
import { type DatabaseContext, binaryRows, failureOf, gate } from './database-context.js';

export function describeTransactions({ createTable, idsIn, ...context }: DatabaseContext): void {
  let database: Database;
  beforeAll(() => {
    database = context.database();
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
      expect(await database.query('SELECT 1 AS value')).toEqual([{ value: 1 }]);
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
}
