/**
 * The labelled pump data, read as an import reads them: mapping, units, validation. What reaches the detector is what the
 * pipeline would hand it.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { planImport, type PlannedFile } from '../../src/gateway/import/plan-import.js';
import { readMapping } from '../../src/gateway/import/read-mapping.js';
import type { SourceRow } from '../../src/gateway/import/source-row.js';
import { DeviceTable } from '../../src/pipeline/device-table.js';
import { fillBatch } from '../../src/pipeline/prepared-batch.js';
import { OperationalError } from '../../src/telemetry/operational-error.js';
import { ReadingBatch } from '../../src/telemetry/reading-batch.js';

const FOLDERS = ['valve1', 'valve2', 'other', 'anomaly-free'] as const;

const HEADERS = {
  schemaVersion: 1,
  contentType: 'application/json',
  records: 1,
  receivedUs: null,
  source: 'benchmark',
} as const;

/** Is told what is left out of a file. */
type OnProblem = (problem: string) => void;

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
 * @param mapping file of the mapping of their columns
 * @param onProblem is told which rows are left out, and why: they are no readings, or have no label
 * @throws OperationalError that names the file that cannot be read
 */
export async function readPumpFiles(root: string, mapping: string, onProblem: OnProblem): Promise<PumpFile[]> {
  const files: PumpFile[] = [];
  for (const folder of FOLDERS) {
    const directory = join(root, folder);
    if (!existsSync(directory)) continue;
    const names = readdirSync(directory).filter((name) => name.endsWith('.csv'));
    names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
    for (const name of names) {
      files.push(
        await readPumpFile(
          join(directory, name),
          `${folder}/${name.slice(0, -4)}`,
          folder !== 'anomaly-free',
          mapping,
          onProblem,
        ),
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

async function readPumpFile(
  path: string,
  name: string,
  isLabelled: boolean,
  mappingFile: string,
  onProblem: OnProblem,
): Promise<PumpFile> {
  const mappingText = readFileSync(mappingFile, 'utf8');
  const mapping = readMapping(mappingText, mappingFile);
  const [file] = await planImport({ files: [path], mapping, mappingText, deviceId: name });
  const { source, mapper, envelope } = file as PlannedFile;
  const records: string[] = [];
  const recordLabels: number[] = [];
  const leftOut: string[] = [];
  for await (const rows of source.rows()) {
    for (const row of rows) {
      const label = isLabelled ? labelOf(row) : 0;
      if (row.problem === undefined && label !== undefined) {
        records.push(mapper.map(row).json);
        recordLabels.push(label);
      } else leftOut.push(`line ${row.line}: ${row.problem ?? 'the column "anomaly" has to hold 0 or 1'}`);
    }
  }
  const rows = new ReadingBatch(Math.max(records.length, 1));
  const devices = new DeviceTable({ maxDevices: 1, expectedChannels: [] });
  const labels: number[] = [];
  // One by one, so that a row that is no reading takes its label along.
  records.forEach((record, index) => {
    const body = Buffer.from(`${envelope}${record}]}`);
    const [refused] = fillBatch([{ body, headers: HEADERS }], Date.now() * 1000, rows, devices);
    if (refused === undefined) labels.push(recordLabels[index] as number);
    else leftOut.push(refused.rejection.message);
  });
  if (leftOut.length > 0) onProblem(`${path}: ${leftOut.length} rows are left out, the first because ${leftOut[0]}`);
  return { name, rows, labels: isLabelled ? Uint8Array.from(labels) : undefined };
}

/** What the row is labelled; undefined where it is not. */
function labelOf(row: SourceRow): number | undefined {
  const label = Number(row.values[row.names.indexOf('anomaly')]);
  return label === 0 || label === 1 ? label : undefined;
}

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
