/**
 * `npm run --silent bench:detection -- [--data DIR] [--json]`: the detector of the product on labelled pump data, by the
 * protocol of docs/detection.md.
 */
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { OperationalError } from '../../src/telemetry/operational-error.js';
import { f1Interval } from './bootstrap.js';
import { anomalyFree, isLabelled, perFile, replay, tallyFiles } from './protocol.js';
import { readPumpFiles } from './pump-files.js';
import { report, type Figures } from './report.js';
import { simulatedPumps } from './simulated-pumps.js';
import { LEVEL_SHIFT, Z_SCORES } from './subjects.js';
import { recordsPerSecond } from './throughput.js';

const EXAMPLE = fileURLToPath(new URL('../../../examples/skab', import.meta.url));

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { data: { type: 'string', default: join(EXAMPLE, 'data') }, json: { type: 'boolean' } },
  });
  const files = await readPumpFiles(resolve(values.data), join(EXAMPLE, 'mapping.yaml'), (problem) => {
    process.stderr.write(`${problem}\n`);
  });
  const labelled = files.filter(isLabelled);
  const tallies = tallyFiles(LEVEL_SHIFT, labelled);
  const figures: Figures = {
    p1: perFile(tallies),
    p2: replay(LEVEL_SHIFT, labelled),
    p3: anomalyFree(LEVEL_SHIFT, files),
    p4: simulatedPumps(LEVEL_SHIFT),
    recordsPerSecond: recordsPerSecond(files),
  };
  if (values.json === true) {
    process.stdout.write(`${JSON.stringify(figures)}\n`);
    return;
  }
  const peers = Object.entries(Z_SCORES).map(([name, subject]) => ({
    name,
    p1: perFile(tallyFiles(subject, labelled)),
    p2: replay(subject, labelled),
  }));
  process.stdout.write(report(figures, f1Interval([...tallies.values()]), peers));
}

try {
  await main();
} catch (error) {
  if (!(error instanceof OperationalError) && !isUsageError(error)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}

function isUsageError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}
