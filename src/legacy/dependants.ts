/** What hangs on the old table: what is carried over, what is not, and what stands in the way. */
import type { Session } from '../storage/database.js';

export interface DependentView {
  /** Quoted, with its schema. */
  readonly name: string;
  readonly kind: 'v' | 'm';
  readonly definition: string;
  readonly owner: string;
  readonly options: readonly string[] | null;
  readonly grants: readonly string[];
}

export interface Dependants {
  /** In the order in which they can be made again. */
  readonly views: readonly DependentView[];
  /** `SELECT ON … TO …`, as GRANT takes it, with `%` in place of the relation. */
  readonly grants: readonly string[];
  /** One sentence each. */
  readonly notCarried: readonly string[];
  readonly obstacles: readonly string[];
}

const VIEWS_SQL = `
  WITH RECURSIVE dependants AS (
    SELECT $1::oid AS oid, 0 AS depth
    UNION
    SELECT r.ev_class, d.depth + 1 FROM dependants d
      JOIN pg_depend p ON p.refclassid = 'pg_class'::regclass AND p.refobjid = d.oid AND p.classid = 'pg_rewrite'::regclass
      JOIN pg_rewrite r ON r.oid = p.objid AND r.ev_class <> d.oid
      JOIN pg_class v ON v.oid = r.ev_class AND v.relname <> ALL ($2::text[]) AND v.relnamespace::regnamespace::text NOT LIKE '\\_timescaledb%'
  )
  SELECT c.oid::bigint AS oid, format('%I.%I', n.nspname, c.relname) AS name, c.relkind::text AS kind, pg_get_viewdef(c.oid) AS definition,
         quote_ident(pg_get_userbyid(c.relowner)) AS owner, c.reloptions AS options
    FROM (SELECT oid, max(depth) AS depth FROM dependants WHERE depth > 0 GROUP BY oid) d
    JOIN pg_class c ON c.oid = d.oid JOIN pg_namespace n ON n.oid = c.relnamespace
   ORDER BY d.depth, c.oid`;

/** The owner's own rights are spelled out too: the new table may get another owner. */
const GRANTS_SQL = `
  SELECT format('%s%s ON %%s TO %s%s', privilege, columns, grantee, CASE WHEN grantable THEN ' WITH GRANT OPTION' END) AS text
    FROM (SELECT a.privilege_type AS privilege, '' AS columns, a.grantee AS who, a.is_grantable AS grantable
            FROM pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a WHERE c.oid = $1::oid
          UNION ALL
          SELECT a.privilege_type, format(' (%I)', t.attname), a.grantee, a.is_grantable
            FROM pg_attribute t, aclexplode(t.attacl) a WHERE t.attrelid = $1::oid AND NOT t.attisdropped) g,
         LATERAL (SELECT CASE who WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(who)) END AS grantee) w
   WHERE privilege IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER') AND who <> current_user::regrole`;

const OTHERS_SQL = `
  SELECT 'obstacle' AS what, format('The foreign key %s of %s refers to it: drop that, telemetry in chunks cannot be referred to.', conname, conrelid::regclass) AS text
    FROM pg_constraint WHERE confrelid = $1::oid AND contype = 'f'
  UNION ALL
  SELECT 'obstacle', format('%s inherits from it, or is a partition of it.', inhrelid::regclass) FROM pg_inherits WHERE inhparent = $1::oid
  UNION ALL
  SELECT 'obstacle', 'Row level security is on: its policies would be lost.' FROM pg_class WHERE oid = $1::oid AND relrowsecurity
  UNION ALL
  SELECT 'not carried', format('The foreign key %s stays on telemetry_old.', conname) FROM pg_constraint WHERE conrelid = $1::oid AND contype = 'f'
  UNION ALL
  SELECT 'not carried', format('The trigger %s stays on telemetry_old, where nothing fires it any more.', tgname)
    FROM pg_trigger WHERE tgrelid = $1::oid AND NOT tgisinternal AND tgname NOT LIKE 'downhole\\_legacy%'
  UNION ALL
  SELECT 'not carried', format('The index %s stays on telemetry_old: the new table has its key only.', indexrelid::regclass)
    FROM pg_index WHERE indrelid = $1::oid
  UNION ALL
  SELECT 'not carried', format('The publication %s goes on publishing telemetry_old.', p.pubname)
    FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = $1::oid`;

/**
 * @param carriesViews false where columns get other names: the views then stay with the old table
 * @param own names of the product's relations, which stay where they are, with whatever stands on them
 */
export async function readDependants(
  session: Session,
  oid: number,
  carriesViews: boolean,
  own: readonly string[],
): Promise<Dependants> {
  const found = await session.query<Omit<DependentView, 'grants'> & { oid: number }>(VIEWS_SQL, [oid, [...own]]);
  const others = await session.query<{ what: string; text: string }>(OTHERS_SQL, [oid]);
  const views: DependentView[] = [];
  for (const { oid: viewOid, ...view } of found) views.push({ ...view, grants: await readGrants(session, viewOid) });
  const of = (what: string): string[] => others.filter((other) => other.what === what).map(({ text }) => text);
  const grants = await readGrants(session, oid);
  // TimescaleDB hands a grant on to the compressed chunks, which have other columns, and fails there.
  const ofColumns = grants.filter((grant) => grant.includes(' ('));
  const materialised = views.filter(({ kind }) => kind === 'm');
  return {
    views: carriesViews ? views : [],
    grants: grants.filter((grant) => !ofColumns.includes(grant)),
    notCarried: [
      ...of('not carried'),
      ...ofColumns.map(
        (grant) => `The grant of columns ${grant.replace(' ON %s', '')} stays on telemetry_old: grant a view instead.`,
      ),
      ...(carriesViews
        ? []
        : views.map(({ name }) => `The view ${name} stays on telemetry_old: columns get other names.`)),
    ],
    obstacles: [
      ...of('obstacle'),
      ...(carriesViews ? materialised : []).map(
        ({ name }) => `The materialized view ${name} reads it: drop that, and make it again after the swap.`,
      ),
    ],
  };
}

async function readGrants(session: Session, oid: number): Promise<string[]> {
  return (await session.query<{ text: string }>(GRANTS_SQL, [oid])).map(({ text }) => text);
}

/** Drops views, those that stand on others first. */
export async function dropViews(session: Session, views: readonly DependentView[]): Promise<void> {
  for (const { name } of [...views].reverse()) await session.execute(`DROP VIEW ${name}`);
}

/** Makes dropped views again. Their texts name `telemetry`, whichever table that is now. */
export async function createViews(session: Session, views: readonly DependentView[]): Promise<void> {
  for (const { name, definition, owner, options, grants } of views) {
    await session.execute(
      `CREATE VIEW ${name} ${options === null ? '' : `WITH (${options.join(', ')})`} AS ${definition.replace(/;\s*$/, '')}`,
    );
    await grantAll(session, name, grants);
    await session.execute(`ALTER VIEW ${name} OWNER TO ${owner}`);
  }
}

export async function grantAll(session: Session, relation: string, grants: readonly string[]): Promise<void> {
  for (const grant of grants) await session.execute(`GRANT ${grant.replace('%s', () => relation)}`);
}
