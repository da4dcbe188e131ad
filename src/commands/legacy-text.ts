/** What `downhole legacy` prints. */
import type { CopyProgress } from '../legacy/copy.js';
import type { LegacyInspection, LegacyScan } from '../legacy/inspect.js';
import type { LegacyVerification } from '../legacy/verify.js';

export const STAGE_TEXTS = {
  prepare: 'making the new tables in the schema downhole_legacy',
  mirror: 'mirroring changes from now on',
  copy: 'copying',
  verify: 'comparing day by day',
  swap: 'swapping the names',
  register: 'registering devices and days',
} as const;

const LINE_INTERVAL_MS = 5000;
/** So many days at most are listed. */
const MOST_DAYS = 20;

/** A line every five seconds and at the end: share of the blocks, rows a second, time to go. */
export function createCopyReport(write: (line: string) => void): (progress: CopyProgress) => void {
  const startedMs = performance.now();
  let startBlock: number | undefined;
  let saidMs = startedMs;
  return ({ copiedTo, endBlock, rows }) => {
    const nowMs = performance.now();
    startBlock ??= copiedTo;
    if (copiedTo < endBlock && nowMs - saidMs < LINE_INTERVAL_MS) return;
    saidMs = nowMs;
    const seconds = Math.max(0.001, (nowMs - startedMs) / 1000);
    const left = Math.round(((endBlock - copiedTo) / Math.max(1, copiedTo - startBlock)) * seconds);
    const percent = endBlock === 0 ? 100 : Math.floor((copiedTo / endBlock) * 100);
    write(`${percent} % | ${rows} rows | ${Math.round(rows / seconds)} rows/s | ${left} s to go`);
  };
}

export function inspectionText(inspection: LegacyInspection, scan: LegacyScan | null): string {
  const { home, plan, rowsEstimate, bytes, neededBytes, freeBytes, keys, views, grants, obstacles, remarks } =
    inspection;
  const columns = [
    `${plan.device.name} → device_id`,
    `${plan.time.name} → timestamp${plan.timeZone === null ? '' : ` (${plan.timeZone})`}`,
    ...plan.values.map(({ name, target }) => `${name} → ${target}`),
    ...plan.extras.map(({ name }) => `${name} → raw_values`),
  ];
  const lines = [
    `table     ${home}.telemetry`,
    `columns   ${columns.join(', ')}`,
    `rows      ${rowsEstimate === null ? 'not known (ANALYZE telemetry)' : `about ${rowsEstimate}`}`,
    `size      ${megabytes(bytes)}; the copy needs about ${megabytes(neededBytes)}, free: ${freeBytes === null ? 'not known' : megabytes(freeBytes)}`,
    `keys      ${keys.length === 0 ? 'none' : keys.join('; ')}`,
    `views     ${views.length === 0 ? 'none' : `${views.join(', ')} (made again on the new table)`}`,
    `grants    ${grants.length === 0 ? 'none' : `${grants.join('; ')} (given again)`}`,
    ...(scan === null
      ? ['set aside not counted (--scan reads all rows)']
      : [
          `set aside ${scan.impossible} impossible and ${scan.duplicates} duplicate of ${scan.rows} rows, into legacy_set_aside`,
        ]),
    ...remarks.map((remark) => `remark    ${remark}`),
    ...obstacles.map((obstacle) => `OBSTACLE  ${obstacle}`),
    obstacles.length === 0
      ? 'Nothing stands in the way of `downhole legacy migrate`.'
      : '`downhole legacy migrate` would refuse.',
  ];
  return `${lines.join('\n')}\n`;
}

export function verificationText({ days, oldRows, newRows, setAside, differences }: LegacyVerification): string {
  const lines = [
    `${oldRows} rows of ${days} days = ${newRows} copied + ${setAside} set aside`,
    ...differences
      .slice(0, MOST_DAYS)
      .map(
        (at) => `${at.day ?? 'no time'}: ${at.oldRows} old, ${at.newRows} new, ${at.setAside} set aside: NOT THE SAME`,
      ),
    differences.length === 0 ? 'every day has the same rows' : `${differences.length} days are not the same`,
  ];
  return `${lines.join('\n')}\n`;
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
