/** `downhole archive restore | clear`: archived readings back into a table, and out of it again. */
import { userInfo } from 'node:os';
import { clearArchiveTable } from '../archive/archive-table.js';
import { openObjectStore } from '../archive/open-object-store.js';
import type { PlannedPart } from '../archive/restore-plan.js';
import type { RestoreProof } from '../archive/restore-part.js';
import { RESTORE_TABLES, type RestoreTable } from '../archive/restore-table.js';
import { Restorer, type RestoredPart } from '../archive/restorer.js';
import type { Database } from '../storage/database.js';
import { formatTimestamp } from '../telemetry/timestamp.js';
import { readDevices, readRange, wrongUsage, type RangeOptions } from './archive-range.js';
import { loadSettings, type GlobalOptions, type Settings } from './load-settings.js';
import { printLine } from './print-table.js';
import { readMoment } from './read-moment.js';
import { refuseOlderSchema } from './schema-state.js';
import { withDatabase } from './with-database.js';

export interface RestoreOptions extends GlobalOptions, RangeOptions {
  readonly into: string;
  readonly holdDays: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export interface ClearOptions extends GlobalOptions, RangeOptions {
  readonly all?: boolean;
}

const MAX_HOLD_DAYS = 3650;

const PROOFS: Readonly<Record<RestoreProof, string>> = {
  fingerprint: 'the table has its rows and no others, by the fingerprint of the chunk',
  checksums: 'the table has its rows and no others, by the checksums of all columns',
  rows: 'row by row',
};

/** Restores part after part, and says what became of each. @throws OperationalError of the archive and the database */
export async function restoreArchive(options: RestoreOptions): Promise<void> {
  const request = { range: readRange(options), devices: readDevices(options), into: readTable(options.into) };
  const holdDays = readHoldDays(options.holdDays);
  await withQuietDatabase(options, async (database, settings) => {
    const store = await openObjectStore(settings.config);
    const restorer = new Restorer({ database, store, events: settings.events });
    const print = options.json === true ? () => undefined : printLine;
    const plan = await restorer.plan(request);
    if (options.dryRun === true) return printPlan(plan, restorer.address, options.json === true);
    let holdId: number | null = null;
    if (request.into === 'telemetry' && plan.length > 0) {
      holdId = await restorer.hold(request, { days: holdDays, actor: `cli:${userInfo().username}` });
      print(`hold ${holdId} keeps what is restored from retention for ${holdDays} days`);
    }
    const parts: RestoredPart[] = [];
    for await (const part of restorer.restore(request)) {
      parts.push(part);
      print(describePart(part));
    }
    const sum = (count: (part: RestoredPart) => number): number =>
      parts.reduce((total, part) => total + count(part), 0);
    const totals = {
      added: sum(({ added }) => added),
      present: sum(({ present }) => present),
      differing: sum(({ differing }) => differing),
    };
    if (options.json === true)
      printJson({ archive: restorer.address, into: request.into, hold: holdId, ...totals, parts: parts.map(partJson) });
    else
      printLine(
        `${totals.added} rows of ${parts.length} parts restored into ${request.into}; ${totals.present} were there already` +
          `${totals.differing > 0 ? `, ${totals.differing} of them with other values, which were left as they are` : ''}`,
      );
  });
}

/** Empties telemetry_archive, of a range or as a whole. */
export async function clearArchive(options: ClearOptions): Promise<void> {
  const { from, to, all = false } = options;
  const devices = readDevices(options);
  if (!all && from === undefined && to === undefined && devices === undefined)
    throw wrongUsage('say what to remove: --from, --to, --device, or --all');
  if (all && (from !== undefined || to !== undefined || devices !== undefined))
    throw wrongUsage('--all goes without --from, --to and --device');
  const nowUs = Date.now() * 1000;
  const fromUs = from === undefined ? undefined : readMoment('--from', from, -1, nowUs);
  const toUs = to === undefined ? undefined : readMoment('--to', to, -1, nowUs);
  await withQuietDatabase(options, async (database) => {
    const { before, after } = await clearArchiveTable(database, { fromUs, toUs, devices });
    printLine(
      `${before.rows - after.rows} rows removed from telemetry_archive, ${after.rows} left; ` +
        `it took ${megabytes(before.bytes)} and takes ${megabytes(after.bytes)}`,
    );
  });
}

function withQuietDatabase(
  options: GlobalOptions,
  work: (database: Database, settings: Settings) => Promise<void>,
): Promise<void> {
  const settings = loadSettings(options, process.env['DOWNHOLE_LOG_LEVEL'] === undefined ? { logLevel: 'warn' } : {});
  return withDatabase(settings, 'archive', async (database) => {
    await refuseOlderSchema(database, settings);
    await work(database, settings);
  });
}

function readTable(into: string): RestoreTable {
  const table = RESTORE_TABLES.find((name) => name === into);
  if (table === undefined) throw wrongUsage(`--into is ${RESTORE_TABLES.join(' or ')}`);
  return table;
}

function readHoldDays(text: string): number {
  const days = Number(text);
  if (!Number.isInteger(days) || days < 1 || days > MAX_HOLD_DAYS)
    throw wrongUsage(`--hold-days is a whole number from 1 to ${MAX_HOLD_DAYS}`);
  return days;
}

function printPlan(plan: readonly PlannedPart[], address: string, isJson: boolean): void {
  if (isJson) {
    printJson({
      archive: address,
      parts: plan.map(({ part, figures, isWhole }) => ({
        object: part.objectKey,
        revision: part.revision,
        rows: figures.tally.rows,
        bytes: figures.bytes,
        whole: isWhole,
      })),
    });
    return;
  }
  for (const { part, figures, isWhole } of plan)
    printLine(
      `${part.objectKey}: ${isWhole ? '' : 'some of '}${figures.tally.rows} rows, ${megabytes(figures.bytes)} to read`,
    );
  const bytes = plan.reduce((total, { figures }) => total + figures.bytes, 0);
  printLine(`${plan.length} parts, ${megabytes(bytes)} to read from ${address}; nothing was restored`);
}

function describePart({ planned: { part }, added, present, differing, examples, proof }: RestoredPart): string {
  const seen = examples.map(({ deviceId, time }) => `${deviceId} at ${time}`).join(', ');
  return (
    `${part.objectKey}: ${added} rows added, ${present} were there, compared ${PROOFS[proof]}` +
    `${differing > 0 ? `; ${differing} have other values in the table, and stay: ${seen}` : ''}`
  );
}

const partJson = ({ planned: { part, isWhole }, ...outcome }: RestoredPart) => ({
  object: part.objectKey,
  from: formatTimestamp(part.range.startUs),
  to: formatTimestamp(part.range.endUs),
  revision: part.revision,
  whole: isWhole,
  ...outcome,
});

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
const printJson = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
