/** Writers of the users' table through our own connections, so that they work on the embedded database too. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Database, SqlValue } from '../../src/storage/database.js';

export interface RowWriters {
  /** Transactions committed so far. */
  readonly committed: () => number;
  /** Ends them after their transaction, and rejects with the first error that one of them got. */
  stop(): Promise<void>;
}

/**
 * Writers that insert, update and delete, each rows of its own, the same in `telemetry` and in `expected`. What they insert is new as
 * well as weeks old.
 */
export function startRowWriters(database: Database, count = 4): RowWriters {
  let isStopped = false;
  let committed = 0;
  const write = async (writer: number): Promise<void> => {
    for (let step = 0; !isStopped; step++) {
      await database.transaction(async (session) => {
        for (const table of ['telemetry', 'expected']) await session.execute(...statementOf(table, writer, step));
      });
      committed++;
      await turn();
    }
  };
  const running = Array.from({ length: count }, (_, writer) => write(writer));
  // Seen again in stop(): until then it must not end the process.
  const settled = Promise.allSettled(running);
  return {
    committed: () => committed,
    async stop() {
      isStopped = true;
      await settled;
      await Promise.all(running);
    },
  };
}

function statementOf(table: string, writer: number, step: number): [string, SqlValue[]] {
  const own = [`Writer ${writer}`, step] as const;
  switch (step % 4) {
    case 0:
      return [
        `INSERT INTO ${table} ("timestamp", device_id, temperature, vibration, pressure, flow_rate)
         VALUES (date_trunc('day', now()) - make_interval(days => (ARRAY[1, 8, 26, 33])[1 + $2::int / 4 % 4], secs => $2::int), $1, ($2::int % 100) / 2.0, 0.5, 100, NULL)`,
        [...own],
      ];
    case 1:
      return [
        `INSERT INTO ${table} ("timestamp", device_id, temperature) VALUES (date_trunc('day', now()) + make_interval(secs => $2::int), $1, 50)`,
        [...own],
      ];
    case 2:
      return [`UPDATE ${table} SET temperature = $2::int % 90 WHERE device_id = $1 AND temperature = 50`, [...own]];
    default:
      return [
        `DELETE FROM ${table} WHERE device_id = $1 AND "timestamp" = date_trunc('day', now()) - make_interval(days => (ARRAY[1, 8, 26, 33])[1 + $2::int / 4 % 4], secs => $2::int)`,
        [own[0], step % 8 === 3 ? step - 3 : -1],
      ];
  }
}
