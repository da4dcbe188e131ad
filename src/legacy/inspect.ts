/** What there is to take over, and what a migration would do with it. Changes nothing. */
import type { Database, Session } from '../storage/database.js';
import { databaseDirectory, readDiskSpace } from '../storage/disk-space.js';
import { ownRelationNames } from '../storage/staged-schema.js';
import { OperationalError } from '../telemetry/operational-error.js';
import { keepsNames, planColumns, type ColumnPlan, type LegacyColumn, type LegacyMapping } from './column-plan.js';
import { readDependants } from './dependants.js';
import { quoteName, rowSql } from './row-sql.js';

export interface LegacyInspection {
  readonly home: string;
  readonly plan: ColumnPlan;
  /** As the statistics have it; null where nobody has analysed the table yet. */
  readonly rowsEstimate: number | null;
  readonly bytes: number;
  /** What the copy needs on the disk, until the old table is dropped. */
  readonly neededBytes: number;
  /** Null where it cannot be told: the server is another machine, or does not say where its data is. */
  readonly freeBytes: number | null;
  /** Columns of its unique indexes; empty: nothing keeps a device from having two rows of an instant. */
  readonly keys: readonly string[];
  readonly views: readonly string[];
  readonly grants: readonly string[];
  /** Any of these, and `migrate` refuses. */
  readonly obstacles: readonly string[];
  readonly remarks: readonly string[];
}

/** What a scan of all rows finds. */
export interface LegacyScan {
  readonly rows: number;
  readonly impossible: number;
  /** Rows beyond the first of a device and instant. */
  readonly duplicates: number;
}

/** Bytes of a row and its key in `telemetry`, beside what the old table needs for the same values. */
const ROW_BYTES = 130;

interface TableFacts extends Record<string, unknown> {
  readonly oid: number;
  readonly home: string;
  readonly kind: string;
  readonly rows: number;
  readonly bytes: number;
  readonly owned: boolean;
  readonly mayCreate: boolean;
}

const FACTS_SQL = `
  SELECT c.oid::bigint AS oid, n.nspname AS home, c.relkind::text AS kind, c.reltuples::float8 AS rows, pg_total_relation_size(c.oid) AS bytes,
         pg_has_role(c.relowner, 'USAGE') AS owned,
         has_database_privilege(current_database(), 'CREATE') AND has_schema_privilege(n.oid, 'CREATE') AS "mayCreate"
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('telemetry')`;

const COLUMNS_SQL = `
  SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
   WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`;

const KEYS_SQL = `
  SELECT (SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = indexrelid) AS columns
    FROM pg_index WHERE indrelid = $1::oid AND indisunique AND indpred IS NULL`;

/**
 * Looks at the table `telemetry` that the product did not make.
 * @param directory of the embedded database, for the space on its disk
 * @throws OperationalError `legacy_missing` where there is none, `legacy_unmappable`
 */
export async function inspectLegacy(
  database: Database,
  mapping: LegacyMapping,
  directory: string | null,
): Promise<LegacyInspection> {
  const [facts] = await database.query<TableFacts>(FACTS_SQL);
  // With a checksum: other programs have a table of that name too, which is in the way and no proof.
  const [ours] = await database.query<{ ours: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('schema_migrations') AND attname = 'checksum') AS ours`,
  );
  if (facts === undefined || ours?.ours === true) {
    throw new OperationalError(
      'legacy_missing',
      facts === undefined
        ? 'The database has no table telemetry: there is nothing to take over. `downhole migrate` makes the tables of this version.'
        : "The table telemetry is Downhole's own already (there is a table schema_migrations): there is nothing to take over.",
    );
  }
  const plan = planColumns(
    await database.query<LegacyColumn & Record<string, unknown>>(COLUMNS_SQL, [facts.oid]),
    mapping,
  );
  const names = await ownRelationNames();
  const dependants = await readDependants(database, facts.oid, keepsNames(plan), names);
  const keys = await database.query<{ columns: string }>(KEYS_SQL, [facts.oid]);
  const neededBytes = facts.bytes + Math.max(0, facts.rows) * ROW_BYTES;
  const freeBytes = (await readDiskSpace(await databaseDirectory(database, directory)))?.freeBytes ?? null;
  return {
    home: facts.home,
    plan,
    rowsEstimate: facts.rows < 0 ? null : Math.round(facts.rows),
    bytes: facts.bytes,
    neededBytes,
    freeBytes,
    keys: keys.map(({ columns }) => columns),
    views: dependants.views.map(({ name }) => name),
    grants: dependants.grants.map((grant) => grant.replace(' ON %s', '')),
    obstacles: [
      ...(await tableObstacles(database, facts, names)),
      ...(freeBytes !== null && freeBytes < neededBytes
        ? [`The disk has ${megabytes(freeBytes)} free, and the copy needs about ${megabytes(neededBytes)}.`]
        : []),
      ...dependants.obstacles,
    ],
    remarks: [...remarksOf(plan), ...dependants.notCarried],
  };
}

async function tableObstacles(session: Session, facts: TableFacts, names: readonly string[]): Promise<string[]> {
  const taken = await session.query<{ name: string }>(
    'SELECT relname AS name FROM pg_class WHERE relnamespace = $1::regnamespace AND relname = ANY ($2::text[])',
    [quoteName(facts.home), [...names, 'telemetry_old', 'legacy_set_aside'].filter((name) => name !== 'telemetry')],
  );
  return [
    ...(facts.kind === 'r' ? [] : ['It is no plain table.']),
    ...(facts.owned
      ? []
      : [
          'This role does not own it: triggers and renaming are the owner’s. Connect as the owner, or as a member of it.',
        ]),
    ...(facts.mayCreate
      ? []
      : [
          'This role may not create schemas in the database, or tables beside it: GRANT CREATE ON DATABASE and ON SCHEMA.',
        ]),
    ...taken.map(({ name }) => `The name ${name} is taken in the schema ${facts.home}: rename that.`),
  ];
}

function remarksOf(plan: ColumnPlan): string[] {
  const doubles = plan.values.filter(({ kind, type }) => kind === 'real' && !/^(real|smallint)$/.test(type));
  return [
    'After the swap, what writes a second row of a device and instant, or a value out of range, is refused by the new table.',
    'A transaction of a writer that is REPEATABLE READ or SERIALIZABLE may miss what is copied meanwhile: verification finds that, and the swap is refused.',
    ...(doubles.length > 0
      ? [
          `Kept as 4-byte numbers, about 7 digits: ${doubles.map(({ name }) => name).join(', ')}. telemetry_old keeps all digits.`,
        ]
      : []),
    ...(plan.extras.length > 0
      ? [`Kept in raw_values, since telemetry has no such column: ${plan.extras.map(({ name }) => name).join(', ')}.`]
      : []),
    ...(keepsNames(plan)
      ? []
      : ['Columns get other names or places: writers and readers have to be changed at the swap.']),
  ];
}

/** Counts what would be set aside, by reading all rows: minutes for a large table. Writers go on. */
export async function scanLegacy(database: Database, { home, plan }: LegacyInspection): Promise<LegacyScan> {
  const sql = rowSql(plan);
  // The function that keeps casts in range is made by `migrate` only: here the values are compared as they are.
  const reason = rowSql({ ...plan, values: plan.values.map((value) => ({ ...value, type: 'real' })) }).reason('s');
  const [scan] = await database.transaction(
    (session) =>
      session.query<LegacyScan & Record<string, unknown>>(
        `WITH keys AS (
           SELECT count(*) AS n, count(*) FILTER (WHERE (${reason}) IS NOT NULL) AS bad
             FROM ${quoteName(home)}.telemetry s GROUP BY ${sql.device('s')}, ${sql.time('s')})
         SELECT coalesce(sum(n), 0)::bigint AS rows, coalesce(sum(bad), 0)::bigint AS impossible,
                coalesce(sum(n - bad - 1) FILTER (WHERE n - bad > 1), 0)::bigint AS duplicates FROM keys`,
      ),
    { readOnly: true, statementTimeoutMs: 0 },
  );
  return scan ?? { rows: 0, impossible: 0, duplicates: 0 };
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
