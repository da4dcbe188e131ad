/** A table `telemetry` as other programs have it, with writers that never stop. */
import pg from 'pg';

export interface LegacyTableOptions {
  readonly rows: number;
  /** Rows that cannot be taken over as they are: impossible ones, and second ones of a device and instant. */
  readonly bad?: boolean;
}

/** Values are halves, so that 4-byte numbers are the same ones. `expected` is what the table would be without anybody's migration. */
export async function createLegacyTable(url: string, { rows, bad = true }: LegacyTableOptions): Promise<void> {
  await withClient(url, async (client) => {
    await client.query(`
      CREATE TABLE telemetry (
        "timestamp" timestamptz, device_id varchar(40), temperature double precision, vibration double precision,
        pressure double precision, flow_rate double precision)`);
    await client.query(
      `INSERT INTO telemetry SELECT '2026-10-01T00:00:00Z'::timestamptz + make_interval(secs => i / 20 * 60), 'Well ' || i % 20,
         60 + i % 40 / 2.0, i % 8 / 2.0, 100 + i % 500, NULLIF(i % 7, 0) * 100 FROM generate_series(0, $1::int - 1) i`,
      [rows],
    );
    if (bad) {
      await client.query(`
        INSERT INTO telemetry VALUES
          ('2026-10-01T00:00:00Z', 'Well 0', 60, 0, 100, NULL), -- there twice, all the same
          ('2026-10-01T00:00:00Z', 'Well 1', 199, 0, 100, NULL), -- with another value
          ('2026-10-02T00:00:00Z', 'Bad', 'NaN', 0, 100, NULL), ('2026-10-02T00:01:00Z', 'Bad', 1, -999, 100, NULL),
          ('2026-10-02T00:02:00Z', 'Bad', 1, 1, 1e300, NULL), ('2026-10-02T00:03:00Z', 'Bad', 1, 1, 1, '-Infinity'),
          (NULL, 'Bad', 1, 1, 1, 1), ('infinity', 'Bad', 1, 1, 1, 1), ('2026-10-02T00:04:00Z', NULL, 1, 1, 1, 1),
          ('2026-10-02T00:05:00Z', 'Tiny', 1e-300, 0, 1, 1)`);
    }
    await client.query('CREATE INDEX telemetry_pk ON telemetry (device_id, "timestamp")');
    await client.query('CREATE TABLE expected AS SELECT * FROM telemetry');
    await client.query('CREATE INDEX ON expected (device_id, "timestamp")');
    await client.query('ANALYZE telemetry');
  });
}

const COLUMNS = '"timestamp", device_id, temperature, vibration, pressure, flow_rate';

/** Rows that one has and the other has not, duplicates counted: both empty means that nothing was lost and nothing was made up. */
export async function compareWithExpected(url: string, source: string): Promise<{ lost: unknown[]; extra: unknown[] }> {
  return withClient(url, async (client) => {
    const there = `SELECT "timestamp", device_id::text, CASE WHEN device_id = 'Tiny' THEN 0 ELSE temperature::float8 END AS temperature, vibration::float8, pressure::float8, flow_rate::float8 FROM`;
    // What lies under the least number of four bytes is zero there.
    const expected = `SELECT "timestamp", device_id::text, CASE WHEN device_id = 'Tiny' THEN 0 ELSE temperature END, vibration, pressure, flow_rate FROM expected`;
    const rows = async (sql: string): Promise<unknown[]> =>
      (await client.query<Record<string, unknown>>(`${sql} LIMIT 5`)).rows;
    const found = source
      .split(' + ')
      .map((table) =>
        table === 'legacy_set_aside'
          ? `${there} legacy_set_aside a, jsonb_to_record(a.original) AS r("timestamp" timestamptz, device_id text, temperature float8, vibration float8, pressure float8, flow_rate float8)`.replace(
              there,
              `SELECT r."timestamp", r.device_id, r.temperature, r.vibration, r.pressure, r.flow_rate FROM`,
            )
          : `${there} ${table}`,
      )
      .join(' UNION ALL ');
    return {
      lost: await rows(`(${expected}) EXCEPT ALL (${found})`),
      extra: await rows(`(${found}) EXCEPT ALL (${expected})`),
    };
  });
}

export interface Writers {
  /** Statements committed so far. */
  readonly committed: () => number;
  /** Ends them after their statement, and rejects with the first error that one of them got. */
  stop(): Promise<void>;
}

/** Each has keys of its own to insert. */
let runs = 0;

/** Writers that insert, update and delete, each under keys of its own, the same in `telemetry` and in `expected`. */
export function startWriters(url: string, count = 4): Writers {
  const run = ++runs;
  return runWriters(count, async (writer, stopped, done) => {
    await withClient(url, async (client) => {
      for (let turn = 0; !stopped(); turn++) {
        const device = `Well ${writer + 4 * (turn % 5)}`;
        const at = new Date(Date.UTC(2026, 9, 1) + 60_000 * ((turn * 7919) % 1500)).toISOString();
        const statement = (table: string): [string, unknown[]] => {
          if (turn % 3 === 0)
            return [
              `UPDATE ${table} SET temperature = $3 WHERE device_id = $1 AND "timestamp" = $2 AND "timestamp" > '2026-10-01'`,
              [device, at, (turn % 100) / 2],
            ];
          if (turn % 7 === 0)
            return [
              `DELETE FROM ${table} WHERE device_id = $1 AND "timestamp" = $2 AND "timestamp" > '2026-10-01'`,
              [device, at],
            ];
          return [
            `INSERT INTO ${table} (${COLUMNS}) VALUES ($1, $2, $3, 0.5, 100, NULL)`,
            [new Date(Date.UTC(2026, 10, 1) + turn * 1000).toISOString(), `Writer ${run}.${writer}`, (turn % 100) / 2],
          ];
        };
        await client.query('BEGIN');
        await client.query(...statement('telemetry'));
        await client.query(...statement('expected'));
        await client.query('COMMIT');
        done();
      }
    });
  });
}

/** PostgreSQL ended the statement, so that another writer gets on: it left nothing, and its writer goes on to the next. */
const DEADLOCK = '40P01';

/**
 * Writers that make second rows, change one of them and delete one of them, all under the same few keys. They hold rows while
 * they wait for keys, so that PostgreSQL has to end one of them now and then.
 */
export function startCollidingWriters(url: string, count = 4): Writers {
  return runWriters(count, async (writer, stopped, done) => {
    await withClient(url, async (client) => {
      for (let turn = 0; !stopped(); turn++) {
        try {
          await client.query(collidingStatement(turn, writer));
          done();
        } catch (error) {
          if ((error as { code?: string }).code !== DEADLOCK) throw error;
        }
      }
    });
  });
}

function collidingStatement(turn: number, writer: number): string {
  const key = (turn * 31 + writer * 17) % 40;
  const one = `(SELECT ctid FROM telemetry WHERE device_id = 'Well ${key % 20}' AND "timestamp" = '2026-10-01T0${key % 8}:00:00Z' ORDER BY random() LIMIT 1 FOR UPDATE)`;
  const value = turn % 11 === 0 ? "'NaN'" : String(turn % 4);
  if (turn % 3 === 0) return `DELETE FROM telemetry WHERE ctid = ${one}`;
  if (turn % 3 === 1) return `UPDATE telemetry SET temperature = ${value} WHERE ctid = ${one}`;
  return `INSERT INTO telemetry (${COLUMNS}) VALUES ('2026-10-01T0${key % 8}:00:00Z', 'Well ${key % 20}', ${value}, 0, 100, NULL)`;
}

function runWriters(
  count: number,
  write: (writer: number, stopped: () => boolean, done: () => void) => Promise<void>,
): Writers {
  let stopped = false;
  let committed = 0;
  const running = Array.from({ length: count }, (_, writer) =>
    write(
      writer,
      () => stopped,
      () => void committed++,
    ),
  );
  // Seen again in stop(): until then it must not end the process.
  const settled = Promise.allSettled(running);
  return {
    committed: () => committed,
    async stop() {
      stopped = true;
      await settled;
      await Promise.all(running);
    },
  };
}

export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
