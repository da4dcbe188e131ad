/**
 * The SQL of one view over Parquet files in which every reading is once: parts of the archive that count, and, where it is
 * wanted, the rows that are in the database now.
 *
 * Of a chunk that was dropped, all its parts count, and what has come into the database since; of a key in several the first
 * counts, as for a restore. Of any other chunk the database has all rows, and its part is left out beside them.
 */
import { formatTimestamp } from '../telemetry/timestamp.js';
import type { ChunkRange } from './chunk-rows.js';
import type { ArchivePart } from './part-table.js';

export interface PartFile {
  readonly part: Pick<ArchivePart, 'range' | 'revision' | 'state'>;
  readonly path: string;
}

/** Whether the part is read where the rows of the database are: a chunk that was not dropped is there. */
export const countsBesideHot = (
  { range, revision }: Pick<ArchivePart, 'range' | 'revision'>,
  parts: readonly Pick<ArchivePart, 'range' | 'revision' | 'state'>[],
): boolean =>
  parts.some((part) => part.range.startUs === range.startUs && part.revision >= revision && part.state === 'dropped');

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const files = (paths: readonly string[]): string =>
  `read_parquet([${paths.map(literal).join(', ')}], hive_partitioning = true, hive_types = {'year': INTEGER, 'month': INTEGER, 'day': INTEGER}, union_by_name = true)`;
const PARTITION = 'year, month, day';

/**
 * @param hotPath file of the rows in the database; undefined: of the archive alone
 * @param range undefined: everything in the files
 */
export function viewStatement(
  parts: readonly PartFile[],
  hotPath: string | undefined,
  range: ChunkRange | undefined,
): string {
  const byChunk = new Map<number, PartFile[]>();
  for (const each of parts)
    byChunk.set(each.part.range.startUs, [...(byChunk.get(each.part.range.startUs) ?? []), each]);
  const chunks = [...byChunk.values()];
  const single = chunks.filter((chunk) => chunk.length === 1).map(([each]) => (each as PartFile).path);
  const selects = [
    ...(single.length === 0 ? [] : [`SELECT * FROM ${files(single)}`]),
    ...chunks.filter((chunk) => chunk.length > 1).map(firstOfEachKey),
    ...(hotPath === undefined ? [] : [hotSelect(hotPath, parts)]),
  ];
  const where =
    range === undefined
      ? ''
      : ` WHERE "timestamp" >= TIMESTAMPTZ ${literal(formatTimestamp(range.startUs))} AND "timestamp" < TIMESTAMPTZ ${literal(formatTimestamp(range.endUs))}`;
  return `CREATE VIEW telemetry AS SELECT * FROM (${selects.join(' UNION ALL BY NAME ')})${where}`;
}

function firstOfEachKey(chunk: readonly PartFile[]): string {
  const revisions = chunk.map(({ part, path }) => `SELECT *, ${part.revision} AS _revision FROM ${files([path])}`);
  return `SELECT * EXCLUDE (_revision) FROM (${revisions.join(' UNION ALL BY NAME ')})
    QUALIFY row_number() OVER (PARTITION BY device_id, "timestamp" ORDER BY _revision) = 1`;
}

/** With the partition that the row would lie in. */
function hotSelect(hotPath: string, parts: readonly PartFile[]): string {
  const of = (part: string): string => `date_part('${part}', timezone('UTC', h."timestamp")) AS ${part}`;
  const hot = `SELECT h.*, ${PARTITION.split(', ').map(of).join(', ')} FROM read_parquet(${literal(hotPath)}) h`;
  if (parts.length === 0) return hot;
  return `${hot} ANTI JOIN ${files(parts.map(({ path }) => path))} d ON d.device_id = h.device_id AND d."timestamp" = h."timestamp"`;
}
