/**
 * What has to hold between the ages of a lifecycle policy so that nothing is lost, a function a rule. Each is tested by
 * itself, and all of them together against a simulation (tests/unit/policy-simulation.test.ts).
 */
import type { LevelPolicy, LifecyclePolicy } from './lifecycle-policy.js';

export interface PolicySetting {
  /** `retention.rawDays`, or in words what is in the database only. */
  readonly name: string;
  /** With its unit: `30 days`. */
  readonly value: string;
}

export interface PolicyFinding {
  readonly rule: string;
  /** An error keeps the jobs from starting; a warning is logged. */
  readonly severity: 'error' | 'warning';
  readonly settings: readonly PolicySetting[];
  /** What would happen. */
  readonly message: string;
  /** A value with which it would not: `retention.rawDays at least 9`. */
  readonly safeValue: string;
}

export interface PolicyRule {
  readonly name: string;
  /** What it holds up, for whoever reads the list. */
  readonly holds: string;
  readonly check: (policy: LifecyclePolicy) => readonly Omit<PolicyFinding, 'rule'>[];
}

/** Between the end of a refresh window and where its source may be gone: a clock that is off, a run that is late. */
const REFRESH_MARGIN_DAYS = 1;
/** What archiving a chunk may take, with the repetitions after an outage of the object store. */
export const TIME_TO_ARCHIVE_DAYS = 2;

/** All rules; the order is the one in which findings are shown. */
export const POLICY_RULES: readonly PolicyRule[] = [
  {
    name: 'refresh-within-source',
    holds: 'no refresh reaches back to where its source may have been dropped',
    check: refreshWithinSource,
  },
  { name: 'archive-before-drop', holds: 'readings are archived before they may be dropped', check: archiveBeforeDrop },
  { name: 'coarser-kept-longer', holds: 'a level is kept at least as long as its source', check: coarserKeptLonger },
  { name: 'kept-beyond-refresh', holds: 'no refresh fills in what retention drops', check: keptBeyondRefresh },
  { name: 'late-rows-found', holds: 'a row that is not noted as late is found by every window', check: lateRowsFound },
  { name: 'changes-passed-on', holds: 'what one level refreshes, the next one looks at', check: changesPassedOn },
  { name: 'closed-buckets-only', holds: 'no bucket is stored while it is open', check: closedBucketsOnly },
  { name: 'compress-after-late', holds: 'live rows never meet compressed chunks', check: compressAfterLate },
  {
    name: 'compress-after-refresh',
    holds: 'no regular refresh works on compressed chunks',
    check: compressAfterRefresh,
  },
  { name: 'compress-before-drop', holds: 'compression comes before the drop', check: compressBeforeDrop },
  { name: 'chunks-fit-days', holds: 'chunks begin and end with days', check: chunksFitDays },
  { name: 'chunks-fit-ages', holds: 'a chunk is small beside the ages that it waits for', check: chunksFitAges },
];

/** What is wrong with a policy, by rule; empty: all is well. */
export function checkPolicy(policy: LifecyclePolicy): PolicyFinding[] {
  return POLICY_RULES.flatMap(({ name, check }) => check(policy).map((finding) => ({ rule: name, ...finding })));
}

type Findings = ReturnType<PolicyRule['check']>;

/** As a person says it; no more digits than it has. */
export function daysText(days: number | null): string {
  if (days === null) return 'for ever';
  if (days >= 1) return counted(round(days), 'day');
  return days * 24 >= 1 ? counted(round(days * 24), 'hour') : counted(round(days * 1440), 'minute');
}

const round = (value: number): number => Math.round(value * 100) / 100;
const counted = (count: number, unit: string): string => `${count} ${unit}${count === 1 ? '' : 's'}`;

const key = (name: string, days: number): PolicySetting => ({ name, value: daysText(days) });
const rawDays = (policy: LifecyclePolicy): PolicySetting => key('retention.rawDays', policy.rawDays);
const kept = ({ name, retentionKey, retentionDays }: LevelPolicy): PolicySetting => ({
  name: retentionKey === null ? `retention of ${name}` : `retention.${retentionKey}`,
  value: daysText(retentionDays),
});
const window = ({ name, refreshFromDays }: LevelPolicy): PolicySetting =>
  key(`start of the refresh window of ${name}`, refreshFromDays);
const compressed = ({ name, compressAfterDays }: LevelPolicy): PolicySetting =>
  key(`compression age of ${name}`, compressAfterDays);

/** The level that another one stands on; undefined: the readings. */
const sourceOf = (policy: LifecyclePolicy, { source }: LevelPolicy): LevelPolicy | undefined =>
  policy.levels.find(({ name }) => name === source);

/** How long that is kept which a level stands on, and what to set to change it. */
function sourceKept(policy: LifecyclePolicy, level: LevelPolicy): { days: number | null; setting: PolicySetting } {
  const source = sourceOf(policy, level);
  return source === undefined
    ? { days: policy.rawDays, setting: rawDays(policy) }
    : { days: source.retentionDays, setting: kept(source) };
}

function refreshWithinSource(policy: LifecyclePolicy): Findings {
  return policy.levels.flatMap((level) => {
    const { days, setting } = sourceKept(policy, level);
    // The window is widened to whole buckets.
    const needed = level.refreshFromDays + level.bucketDays + REFRESH_MARGIN_DAYS;
    if (days === null || needed < days) return [];
    const least = Math.floor(needed) + 1;
    return {
      severity: 'error',
      settings: [setting, window(level)],
      message:
        `the refresh of ${level.name} would reach back to where its source is dropped, and replace history by nothing; ` +
        `with a bucket and a day of margin it needs ${daysText(round(needed))}`,
      safeValue: `${setting.name} at least ${least}`,
    };
  });
}

function archiveBeforeDrop(policy: LifecyclePolicy): Findings {
  const needed = policy.archiveAfterDays + TIME_TO_ARCHIVE_DAYS;
  if (needed < policy.rawDays) return [];
  return [
    {
      severity: 'error',
      settings: [rawDays(policy), key('archive.afterDays', policy.archiveAfterDays)],
      message:
        `readings would be due to be dropped before their archive can have been verified (it may take ` +
        `${TIME_TO_ARCHIVE_DAYS} days), so they would stay, and the disk would fill`,
      safeValue: `retention.rawDays at least ${Math.floor(needed) + 1}`,
    },
  ];
}

function coarserKeptLonger(policy: LifecyclePolicy): Findings {
  return policy.levels.flatMap((level) => {
    const { days, setting } = sourceKept(policy, level);
    if (level.retentionDays === null || (days !== null && level.retentionDays >= days)) return [];
    return {
      severity: 'error',
      settings: [kept(level), setting],
      message: `${level.name} would be dropped while what it is computed from is still there: a late reading would bring back a part of a bucket as if it were the whole`,
      safeValue:
        days === null ? `${kept(level).name} without an end` : `${kept(level).name} at least ${Math.ceil(days)}`,
    };
  });
}

function keptBeyondRefresh(policy: LifecyclePolicy): Findings {
  return policy.levels.flatMap((level) => {
    const needed = level.refreshFromDays + level.bucketDays + REFRESH_MARGIN_DAYS;
    if (level.retentionDays === null || needed < level.retentionDays) return [];
    return {
      severity: 'error',
      settings: [kept(level), window(level)],
      message: `retention would drop buckets of ${level.name} that its own refresh still works on`,
      safeValue: `${kept(level).name} at least ${Math.floor(needed) + 1}`,
    };
  });
}

function lateRowsFound({ lateAfterDays, levels }: LifecyclePolicy): Findings {
  return levels
    .filter(({ refreshFromDays }) => refreshFromDays <= lateAfterDays)
    .map((level) => ({
      severity: 'error',
      settings: [window(level), key('age from which rows are noted as late', lateAfterDays)],
      message: `a row that comes in between would never get into ${level.name}: neither the window nor the note of late days has it`,
      safeValue: `${window(level).name} at least ${daysText(lateAfterDays + REFRESH_MARGIN_DAYS)}`,
    }));
}

function changesPassedOn(policy: LifecyclePolicy): Findings {
  return policy.levels.flatMap((level) => {
    const source = sourceOf(policy, level);
    if (source === undefined || level.refreshFromDays >= source.refreshFromDays) return [];
    return {
      severity: 'error',
      settings: [window(level), window(source)],
      message: `what is refreshed in ${source.name} before the window of ${level.name} would never get into ${level.name}`,
      safeValue: `${window(level).name} at least ${daysText(source.refreshFromDays)}`,
    };
  });
}

function closedBucketsOnly({ levels }: LifecyclePolicy): Findings {
  return levels
    .filter(({ refreshToDays, bucketDays }) => refreshToDays < bucketDays)
    .map((level) => ({
      severity: 'error',
      settings: [key(`end of the refresh window of ${level.name}`, level.refreshToDays)],
      message: `the bucket of ${level.name} that is still filling would be stored, and later readings missing in it until the next refresh`,
      safeValue: `end of the refresh window of ${level.name} at least ${daysText(level.bucketDays)}`,
    }));
}

function compressAfterLate({ compressAfterDays, lateAfterDays }: LifecyclePolicy): Findings {
  if (compressAfterDays >= lateAfterDays) return [];
  return [
    {
      severity: 'error',
      settings: [
        key('compression.afterDays', compressAfterDays),
        key('age from which rows are noted as late', lateAfterDays),
      ],
      message:
        'rows that count as live would be written into compressed chunks, where each of them is looked up in what has to be decompressed: writing would fall behind',
      safeValue: `compression.afterDays at least ${Math.ceil(lateAfterDays)}`,
    },
  ];
}

function compressAfterRefresh({ compressAfterDays, levels }: LifecyclePolicy): Findings {
  const own = levels
    .filter((level) => level.compressAfterDays < level.refreshFromDays)
    .map((level) => ({
      severity: 'error' as const,
      settings: [compressed(level), window(level)],
      message: `every refresh of ${level.name} would rewrite compressed chunks`,
      safeValue: `${compressed(level).name} at least ${daysText(level.refreshFromDays)}`,
    }));
  const slow = levels
    .filter((level) => level.source === 'raw' && compressAfterDays < level.refreshFromDays)
    .map((level) => ({
      severity: 'warning' as const,
      settings: [key('compression.afterDays', compressAfterDays), window(level)],
      message: `the refresh of ${level.name} reads compressed chunks where late rows have come in, which is slower`,
      safeValue: `compression.afterDays at least ${Math.ceil(level.refreshFromDays)}`,
    }));
  return [...own, ...slow];
}

function compressBeforeDrop(policy: LifecyclePolicy): Findings {
  if (policy.compressAfterDays < policy.rawDays) return [];
  return [
    {
      severity: 'warning',
      settings: [key('compression.afterDays', policy.compressAfterDays), rawDays(policy)],
      message: 'readings would be dropped before they are compressed: they take about ten times the space until then',
      safeValue: `compression.afterDays below ${policy.rawDays}`,
    },
  ];
}

function chunksFitDays({ chunkDays }: LifecyclePolicy): Findings {
  const fits = chunkDays >= 1 ? Number.isInteger(chunkDays) : Number.isInteger(round(1 / chunkDays));
  if (fits) return [];
  const hours = chunkDays * 24;
  const divisors = [1, 2, 3, 4, 6, 8, 12, 24, 48, 72, 96, 120, 144, 168];
  const nearest = divisors.reduce((best, each) => (Math.abs(each - hours) < Math.abs(best - hours) ? each : best));
  return [
    {
      severity: 'warning',
      settings: [key('storage.chunkHours', chunkDays)],
      message:
        'chunks would cross midnight: a late day or a day of the archive touches parts of further chunks, and keeps them waiting',
      safeValue: `storage.chunkHours ${nearest} (of a new database: it is set when the table is made)`,
    },
  ];
}

function chunksFitAges({ chunkDays, compressAfterDays }: LifecyclePolicy): Findings {
  // A chunk waits until its newest row has the age: its oldest is then older by a chunk.
  if (chunkDays <= compressAfterDays) return [];
  return [
    {
      severity: 'warning',
      settings: [key('storage.chunkHours', chunkDays), key('compression.afterDays', compressAfterDays)],
      message: 'more would lie uncompressed because its chunk is not full yet than because it is young',
      safeValue: `storage.chunkHours at most ${compressAfterDays * 24} (of a new database: it is set when the table is made)`,
    },
  ];
}
