/** The database for those who can do without for a while: connected to when they ask, again and again until it is there. */
import type { Database, Session } from '../storage/database.js';

/** @param open resolves to the same database as long as it is open; rejects with an OperationalError while there is none */
export function databaseOnDemand(open: () => Promise<Database>): Session {
  return {
    query: async (sql, parameters) => (await open()).query(sql, parameters),
    execute: async (sql, parameters) => (await open()).execute(sql, parameters),
    script: async (sql) => (await open()).script(sql),
    copyBinary: async (target, data) => (await open()).copyBinary(target, data),
    async *copyOut(sql) {
      yield* (await open()).copyOut(sql);
    },
  };
}
