/**
 * The functions and triggers that keep two tables in step.
 *
 * The old table has no key, so "which row is this one's image" is decided as for a multiset: rows of the old table = rows of
 * `telemetry` + rows of `legacy_set_aside`, whatever writers do. A change of a row that has no image yet must not touch the
 * image of an equal one, so the trigger has to know which rows have one:
 *   - blocks below `copied_to` have been copied, and those from `end_block` on were written under the trigger;
 *   - in between, a row has one if its position is noted in `mirrored`: it was written there under the trigger.
 * A change in the blocks that are being copied right now waits for that batch: the trigger and the copy take the same advisory
 * lock, shared and exclusive. FOR SHARE would do as well, and rewrite every page of the old table.
 */
import { inHome, type LegacyProgress } from './progress.js';
import { STAGE, type RowSql } from './row-sql.js';

/** First half of the advisory locks of batches; the second is the batch modulo BATCH_LOCKS, so that a change of everything takes few. */
export const BATCH_LOCK_CLASS = 1_281_712_997;
export const BATCH_LOCKS = 64;

const SAFE = `SECURITY DEFINER SET search_path = pg_catalog, pg_temp`;
const blockOf = (row: string): string => `(${row}.ctid::text::point)[0]::bigint`;
const SET_ASIDE_COLUMNS = 'device_id, "timestamp", reason, day, row_hash, original';

export const setAsideValues = (sql: RowSql, row: string, reason: string, original: string): string =>
  `${sql.device(row)}, ${sql.time(row)}, ${reason}, ${sql.day(sql.time(row))}, ${sql.hash(row)}, ${original}`;

export const insertSetAside = (progress: Pick<LegacyProgress, 'home'>): string =>
  `INSERT INTO ${inHome(progress, 'legacy_set_aside')} (${SET_ASIDE_COLUMNS})`;

/** Functions of the way there; each is one statement. */
export function mirrorFunctions(progress: Pick<LegacyProgress, 'home'>, sql: RowSql): string[] {
  const row = inHome(progress, 'telemetry');
  const aside = inHome(progress, 'legacy_set_aside');
  const target = `${STAGE}.telemetry`;
  const columns = sql.targets.join(', ');
  return [
    `CREATE FUNCTION ${STAGE}.keep(r ${row}) RETURNS void LANGUAGE plpgsql ${SAFE} AS $body$
     DECLARE why text := ${sql.reason('r')};
     BEGIN
       IF why IS NULL THEN
         INSERT INTO ${target} (${columns}) VALUES (${sql.values('r')}) ON CONFLICT DO NOTHING;
         IF FOUND THEN RETURN; END IF;
         why := 'duplicate';
       END IF;
       ${insertSetAside(progress)} VALUES (${setAsideValues(sql, 'r', 'why', 'to_jsonb(r)')});
     END $body$`,
    // Twice at most: another writer may have moved the image from one table to the other meanwhile.
    `CREATE FUNCTION ${STAGE}.remove(r ${row}) RETURNS void LANGUAGE plpgsql ${SAFE} AS $body$
     DECLARE number bigint := ${sql.hash('r')}; waiting jsonb;
     BEGIN
       FOR attempt IN 1..2 LOOP
         DELETE FROM ${target} t
          WHERE t.device_id = ${sql.device('r')} AND t."timestamp" = ${sql.time('r')} AND ${sql.hashOfTarget('t')} = number;
         IF FOUND THEN
           DELETE FROM ${aside} WHERE id = (
             SELECT id FROM ${aside} WHERE device_id = ${sql.device('r')} AND "timestamp" = ${sql.time('r')} AND reason = 'duplicate'
              ORDER BY id LIMIT 1) RETURNING original INTO waiting;
           IF FOUND THEN PERFORM ${STAGE}.keep(jsonb_populate_record(NULL::${row}, waiting)); END IF;
           RETURN;
         END IF;
         DELETE FROM ${aside} WHERE id = (
           SELECT id FROM ${aside} WHERE row_hash = number AND device_id IS NOT DISTINCT FROM ${sql.device('r')}
              AND original = to_jsonb(r) ORDER BY id LIMIT 1);
         IF FOUND THEN RETURN; END IF;
       END LOOP;
     END $body$`,
    `CREATE FUNCTION ${STAGE}.mirror() RETURNS trigger LANGUAGE plpgsql ${SAFE} AS $body$
     DECLARE p ${STAGE}.progress; block bigint; imaged boolean := false; copied bigint;
     BEGIN
       SELECT * INTO p FROM ${STAGE}.progress;
       IF TG_OP <> 'INSERT' THEN
         imaged := p.copied_to >= p.end_block;
         IF NOT imaged THEN
           block := ${blockOf('OLD')};
           imaged := block >= p.end_block OR block < p.copied_to;
         END IF;
         IF NOT imaged THEN
           PERFORM pg_advisory_xact_lock_shared(${BATCH_LOCK_CLASS}, ((block / p.batch_blocks) % ${BATCH_LOCKS})::int);
           SELECT copied_to INTO copied FROM ${STAGE}.progress;
           imaged := block < copied;
           IF NOT imaged THEN
             DELETE FROM ${STAGE}.mirrored WHERE position = OLD.ctid;
             imaged := FOUND;
           END IF;
         END IF;
         IF imaged AND TG_OP = 'UPDATE' THEN
           IF ${sql.hash('OLD')} = ${sql.hash('NEW')} AND ${sql.reason('NEW')} IS NULL AND EXISTS (
               SELECT FROM ${target} t WHERE t.device_id = ${sql.device('OLD')} AND t."timestamp" = ${sql.time('OLD')}
                  AND ${sql.hashOfTarget('t')} = ${sql.hash('OLD')}) THEN
             NULL; -- nothing that the new table knows of has changed
           ELSE
             PERFORM ${STAGE}.remove(OLD);
             PERFORM ${STAGE}.keep(NEW);
           END IF;
         ELSIF imaged THEN
           PERFORM ${STAGE}.remove(OLD);
         END IF;
       END IF;
       IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND NOT imaged) THEN PERFORM ${STAGE}.keep(NEW); END IF;
       IF TG_OP <> 'DELETE' AND p.copied_to < p.end_block THEN
         block := ${blockOf('NEW')};
         IF block >= p.copied_to AND block < p.end_block THEN
           INSERT INTO ${STAGE}.mirrored VALUES (NEW.ctid) ON CONFLICT DO NOTHING;
         END IF;
       END IF;
       RETURN NULL;
     END $body$`,
    // A TRUNCATE gives the table another file, of which every row is written under the trigger.
    `CREATE FUNCTION ${STAGE}.mirror_truncate() RETURNS trigger LANGUAGE plpgsql ${SAFE} AS $body$
     BEGIN
       DELETE FROM ${target};
       DELETE FROM ${aside};
       UPDATE ${STAGE}.progress SET copied_to = end_block, file_node = pg_relation_filenode(TG_RELID);
       RETURN NULL;
     END $body$`,
    `CREATE FUNCTION ${STAGE}.note_change() RETURNS trigger LANGUAGE plpgsql ${SAFE} AS $body$
     BEGIN
       -- DO UPDATE and not DO NOTHING: it waits for a rollback that is just taking the note away.
       IF TG_OP <> 'INSERT' THEN
         INSERT INTO ${STAGE}.changed VALUES (OLD.device_id, OLD."timestamp", false)
           ON CONFLICT (device_id, "timestamp") DO UPDATE SET is_new = changed.is_new;
       END IF;
       IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND (OLD.device_id, OLD."timestamp") <> (NEW.device_id, NEW."timestamp")) THEN
         INSERT INTO ${STAGE}.changed VALUES (NEW.device_id, NEW."timestamp", true)
           ON CONFLICT (device_id, "timestamp") DO UPDATE SET is_new = changed.is_new;
       END IF;
       RETURN NULL;
     END $body$`,
  ];
}

const ROW_TRIGGER = 'downhole_legacy';
const TRUNCATE_TRIGGER = 'downhole_legacy_truncate';

export const createMirror = (table: string): string[] => [
  `CREATE TRIGGER ${ROW_TRIGGER} AFTER INSERT OR UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION ${STAGE}.mirror()`,
  `CREATE TRIGGER ${TRUNCATE_TRIGGER} AFTER TRUNCATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION ${STAGE}.mirror_truncate()`,
];

export const dropMirror = (table: string): string[] => [
  `DROP TRIGGER IF EXISTS ${ROW_TRIGGER} ON ${table}`,
  `DROP TRIGGER IF EXISTS ${TRUNCATE_TRIGGER} ON ${table}`,
];

export const createChangeNotes = (table: string): string =>
  `CREATE TRIGGER ${ROW_TRIGGER} AFTER INSERT OR UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION ${STAGE}.note_change()`;

export const dropChangeNotes = (table: string): string => `DROP TRIGGER IF EXISTS ${ROW_TRIGGER} ON ${table}`;
