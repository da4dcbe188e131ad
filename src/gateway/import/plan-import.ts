/** Which files are imported and how: everything that can be known to be wrong is found before the first row is sent. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { OperationalError } from '../../telemetry/operational-error.js';
import { openCsv } from './csv-source.js';
import { deviceOfFile, RowMapper } from './map-row.js';
import { MISSING_TEXTS, type Mapping } from './mapping.js';
import { openNdjson } from './ndjson-source.js';
import { openParquet } from './parquet-source.js';
import type { RowSource } from './source-row.js';
import { fileError, TextFile } from './text-lines.js';
import { createTimeReader, type TimeReader } from './time-format.js';

export interface PlannedFile {
  /** As the user wrote it. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly source: RowSource;
  readonly mapper: RowMapper;
  /** Undefined when a column says which device a row belongs to. */
  readonly deviceId: string | undefined;
  /** Opening of the envelope that its records travel in, up to `"records":[`. */
  readonly envelope: string;
  /** Identifies this file, as it is now, read in this way. */
  readonly key: string;
}

export interface PlanOptions {
  readonly files: readonly string[];
  readonly mapping: Mapping;
  /** The mapping's text: another mapping makes another import. */
  readonly mappingText: string;
  /** Overrides what the mapping says. */
  readonly deviceId: string | undefined;
}

/** Without a mapping file the columns are named like the fields of a record. */
export const IDENTITY_MAPPING: Mapping = {
  file: '',
  columns: new Map(),
  device: { from: 'column', column: 'device_id', at: '' },
  time: { column: 'timestamp', read: createTimeReader('rfc3339', undefined) as TimeReader, at: '' },
  constants: {},
  ignore: new Set(),
  missing: new Set(MISSING_TEXTS),
  delimiter: undefined,
  decimal: '.',
  encoding: 'utf8',
  isIdentity: true,
};

/**
 * Opens every file and holds its columns against the mapping.
 * @throws OperationalError that names file, column and place in the mapping
 */
export async function planImport(options: PlanOptions): Promise<PlannedFile[]> {
  const planned: PlannedFile[] = [];
  for (const path of options.files) planned.push(await planFile(path, options));
  const twice = planned.find((file, index) => planned.findIndex(({ key }) => key === file.key) !== index);
  if (twice !== undefined)
    throw new OperationalError('wrong_usage', `${twice.path} is named twice; name each file once`);
  return planned;
}

async function planFile(path: string, { mapping, mappingText, deviceId }: PlanOptions): Promise<PlannedFile> {
  const absolute = resolve(path);
  const { size, mtimeMs } = await statFile(path);
  const device = deviceId ?? deviceOfFile(absolute, mapping.device);
  const mapper = new RowMapper(mapping, basename(path), device);
  const source = await openSource(path, size, mapping);
  const problem = source.columns === undefined ? undefined : mapper.checkColumns(path, source.columns);
  if (problem !== undefined) throw problem;
  const identity = [absolute, size, mtimeMs, mappingText, deviceId ?? null];
  const key = createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 32);
  return { path, sizeBytes: size, source, mapper, deviceId: device, envelope: openingOf(mapping), key };
}

async function statFile(path: string): Promise<{ size: number; mtimeMs: number }> {
  let stats: Awaited<ReturnType<typeof stat>>;
  try {
    stats = await stat(path);
  } catch (error) {
    throw fileError(path, error);
  }
  if (stats.isFile()) return stats;
  throw new OperationalError('wrong_usage', `${path} is not a file; name the data files, e.g. ${path}/*.csv`);
}

/** The reader that a file's name asks for; whatever has no known ending is taken for CSV. */
async function openSource(path: string, sizeBytes: number, mapping: Mapping): Promise<RowSource> {
  const name = basename(path).toLowerCase().replace(/\.gz$/, '');
  if (name.endsWith('.parquet')) return openParquet(path);
  const file = new TextFile(path, sizeBytes);
  if (/\.(ndjson|jsonl|json)$/.test(name)) return openNdjson(file);
  const device = mapping.device?.from === 'column' ? [mapping.device.column] : [];
  return openCsv(file, mapping, new Set([mapping.time.column, ...device, ...mapping.columns.keys()]));
}

function openingOf(mapping: Mapping): string {
  const units: Record<string, string> = {};
  for (const { channel, unit } of mapping.columns.values()) if (unit !== undefined) units[channel] = unit;
  const source = mapping.constants['source_system'];
  const defaults = {
    ...(Object.keys(units).length === 0 ? {} : { units }),
    ...(source === undefined ? {} : { source_system: String(source) }),
  };
  const text = JSON.stringify(defaults).slice(0, -1);
  return `${text}${text === '{' ? '' : ','}"records":[`;
}
