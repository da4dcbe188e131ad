/**
 * The labelled pump data, read as an import reads them: mapping, units, validation. What reaches the detector is what the
 * pipeline would hand it.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { planImport, type PlannedFile } from '../../src/gateway/import/plan-import.js';
import { readMapping } from '../../src/gateway/import/read-mapping.js';
import type { SourceRow } from '../../src/gateway/import/source-row.js';
import { DeviceTable } from '../../src/pipeline/device-table.js';
import { fillBatch } from '../../src/pipeline/prepared-batch.js';
import { OperationalError } from '../../src/telemetry/operational-error.js';
import { ReadingBatch } from '../../src/telemetry/reading-batch.js';

const MAPPING = fileURLToPath(new URL('../../../examples/skab/mapping.yaml', import.meta.url));
const FOLDERS = ['valve1', 'valve2', 'other', 'anomaly-free'] as const;

export interface PumpFile {
  /** `valve1/0` */
  readonly name: string;
  /** One device, number 0; never evaluated itself, only copies of it. */
  readonly rows: ReadingBatch;
  /** 1 where a row is labelled an anomaly; undefined for the recording without any. */
  readonly labels: Uint8Array | undefined;
}

/**
 * Reads every file of the known folders below `root`, whichever are there.
 * @throws OperationalError that names the file (and line) that cannot be read
 */
export async function readPumpFiles(root: string): Promise<PumpFile[]> {
  const files: PumpFile[] = [];
  for (const folder of FOLDERS) {
    const directory = join(root, folder);
    if (!existsSync(directory)) continue;
    const names = readdirSync(directory).filter((name) => name.endsWith('.csv'));
    names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
    for (const name of names) {
      files.push(
        await readPumpFile(join(directory, name), `${folder}/${name.slice(0, -4)}`, folder !== 'anomaly-free'),
      );
    }
  }
  if (files.length === 0)
    throw new OperationalError(
      'wrong_usage',
      `There is no file in ${FOLDERS.map((folder) => join(root, folder, '*.csv')).join(', ')}; name the folder that holds them with --data.`,
    );
  return files;
}

async function readPumpFile(path: string, name: string, isLabelled: boolean): Promise<PumpFile> {
  const mappingText = readFileSync(MAPPING, 'utf8');
  const mapping = readMapping(mappingText, MAPPING);
  const [file] = await planImport({ files: [path], mapping, mappingText, deviceId: name });
  const { source, mapper, envelope } = file as PlannedFile;
  const records: string[] = [];
  const labels: number[] = [];
  for await (const rows of source.rows()) {
    for (const row of rows) {
      if (row.problem !== undefined) throw unreadable(path, row.line, row.problem);
      records.push(mapper.map(row).json);
      labels.push(isLabelled ? labelOf(row, path) : 0);
    }
  }
  const rows = toBatch(`${envelope}${records.join(',')}]}`, records.length, path);
  return { name, rows, labels: isLabelled ? Uint8Array.from(labels) : undefined };
}

function labelOf(row: SourceRow, path: string): number {
  const label = Number(row.values[row.names.indexOf('anomaly')]);
  if (label === 0 || label === 1) return label;
  throw unreadable(path, row.line, 'the column "anomaly" has to hold 0 or 1');
}

function toBatch(body: string, records: number, path: string): ReadingBatch {
  const batch = new ReadingBatch(Math.max(records, 1));
  const devices = new DeviceTable({ maxDevices: 1, expectedChannels: [] });
  const headers = {
    schemaVersion: 1,
    contentType: 'application/json',
    records,
    receivedUs: null,
    source: 'benchmark',
  } as const;
  const refused = fillBatch([{ body: Buffer.from(body), headers }], Date.now() * 1000, batch, devices);
  const [first] = refused;
  if (first !== undefined)
    throw new OperationalError(
      'file_unreadable',
      `${path}: ${refused.length} rows are no readings, the first because ${first.rejection.message}; correct or remove the file.`,
    );
  return batch;
}

const unreadable = (path: string, line: number, problem: string): OperationalError =>
  new OperationalError('file_unreadable', `${path}:${line}: ${problem}; correct or remove the file.`);

/** A copy to evaluate, or to spoil. */
export function copyOf(rows: ReadingBatch): ReadingBatch {
  const copy = new ReadingBatch(Math.max(rows.length, 1));
  for (let row = 0; row < rows.length; row++) copy.open();
  copy.timestampUs.set(rows.timestampUs.subarray(0, rows.length));
  copy.receivedUs.set(rows.timestampUs.subarray(0, rows.length));
  copy.values.set(rows.values.subarray(0, copy.values.length));
  copy.device.fill(0);
  copy.deviceId.fill('pump');
  return copy;
}
