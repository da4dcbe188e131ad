/**
 * What lies beside each part in the store and says what the part is, so that the archive can be read and trusted without
 * the database that it came from. Written once the part has been read back and found right: a part without a manifest
 * does not count.
 */
import { createHash } from 'node:crypto';
import { formatTimestamp } from '../telemetry/timestamp.js';
import type { ChunkRange } from './chunk-rows.js';
import type { WrittenPart } from './write-part.js';

const MANIFEST_FORMAT = 'downhole-archive-1';

export interface PartIdentity {
  readonly range: ChunkRange;
  /** From 1; a later one stands for the whole chunk again. */
  readonly revision: number;
  readonly objectKey: string;
  readonly manifestKey: string;
  /** Version of the last migration. */
  readonly schemaVersion: number;
}

/** Names of a part and of its manifest: the UTC day of its beginning as Hive has it, and never the same twice. */
export function partKeys({ startUs, endUs }: ChunkRange, revision: number, unique: string): [string, string] {
  const [year, month, day] = formatTimestamp(startUs).slice(0, 10).split('-') as [string, string, string];
  const name = `part-${compact(startUs)}-${compact(endUs)}-${revision}-${unique}`;
  const folder = `year=${year}/month=${month}/day=${day}`;
  return [`${folder}/${name}.parquet`, `${folder}/${name}.manifest.json`];
}

/** `20261101T000000Z`. Chunks begin and end on whole seconds. */
const compact = (micros: number): string =>
  `${formatTimestamp(micros)
    .slice(0, 19)
    .replaceAll(/[^0-9T]/g, '')}Z`;

/** The text of a manifest; its last field is the checksum of the others, as JSON without spaces. */
export function manifestText(part: PartIdentity, written: WrittenPart): string {
  const { tally } = written;
  const instant = (micros: number | null): string | null => (micros === null ? null : formatTimestamp(micros));
  const content = {
    format: MANIFEST_FORMAT,
    table: 'telemetry',
    schemaVersion: part.schemaVersion,
    rangeStart: formatTimestamp(part.range.startUs),
    rangeEnd: formatTimestamp(part.range.endUs),
    revision: part.revision,
    object: part.objectKey,
    bytes: written.bytes,
    sha256: written.sha256,
    rows: tally.rows,
    minTime: instant(tally.minTimeUs),
    maxTime: instant(tally.maxTimeUs),
    fingerprint: written.fingerprint,
    columns: tally.columns,
  };
  const checksum = createHash('sha256').update(JSON.stringify(content)).digest('hex');
  return `${JSON.stringify({ ...content, checksum }, null, 2)}\n`;
}

export const sha256Of = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex');
