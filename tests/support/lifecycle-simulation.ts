/**
 * A small model of what refresh, archive and retention do to readings and aggregates, a day at a time, without any of
 * the safeguards that the real jobs have: a drop does not look at the archive, and a refresh at no watermark. What a
 * policy that the rules pass loses here, the rules have overlooked.
 */
import type { LevelPolicy, LifecyclePolicy } from '../../src/storage/policy/lifecycle-policy.js';
import { TIME_TO_ARCHIVE_DAYS } from '../../src/storage/policy/policy-rules.js';

export interface LateRow {
  /** The day on which it arrives. */
  readonly arrives: number;
  /** How many days older it is than that. */
  readonly age: number;
}

interface RawDay {
  rows: number;
  archivedOn: number | null;
  dropped: boolean;
}

/**
 * Lives through so many days and tells what was lost, in words; empty: nothing. Days hold a reading each, and late ones.
 * Late rows come while the readings of their day are there (older ones go another way).
 */
export function simulateLifecycle(policy: LifecyclePolicy, days: number, lateRows: readonly LateRow[]): string[] {
  const lost: string[] = [];
  const raw: RawDay[] = [];
  const stored = new Map<string, (number | undefined)[]>(policy.levels.map(({ name }) => [name, []]));
  for (let today = 0; today < days; today++) {
    raw[today] = { rows: 1, archivedOn: null, dropped: false };
    const noted = receive(policy, raw, today, lateRows);
    refresh(policy, raw, stored, today, noted);
    archive(policy, raw, today);
    lost.push(...dropReadings(policy, raw, today));
    dropAggregates(policy, stored, today);
    lost.push(...findLost(policy, raw, stored, today));
    if (lost.length > 0) return lost;
  }
  return lost;
}

/** @returns the days that the writer notes as late */
function receive(policy: LifecyclePolicy, raw: RawDay[], today: number, lateRows: readonly LateRow[]): Set<number> {
  const noted = new Set<number>();
  for (const { arrives, age } of lateRows) {
    const day = raw[today - age];
    if (arrives !== today || day === undefined || day.dropped) continue;
    day.rows++;
    // What was archived before has to be archived again.
    if (day.archivedOn !== null) day.archivedOn = null;
    if (age >= policy.lateAfterDays) noted.add(today - age);
  }
  return noted;
}

type Stored = Map<string, (number | undefined)[]>;

/** A refresh computes what it finds: nothing where the source is gone. */
function refresh(
  policy: LifecyclePolicy,
  raw: RawDay[],
  stored: Stored,
  today: number,
  noted: ReadonlySet<number>,
): void {
  for (const level of policy.levels) {
    const values = stored.get(level.name) as (number | undefined)[];
    const compute = (day: number): void => {
      const from = raw[day];
      values[day] =
        level.source === 'raw' ? (from?.dropped === false ? from.rows : undefined) : stored.get(level.source)?.[day];
    };
    const first = Math.max(0, Math.floor(today - level.refreshFromDays));
    const last = Math.floor(today - level.refreshToDays);
    for (let day = first; day <= last; day++) compute(day);
    for (const day of noted) compute(day);
  }
}

/** Each takes as long as it may. */
function archive(policy: LifecyclePolicy, raw: RawDay[], today: number): void {
  raw.forEach((day, number) => {
    const age = today - (number + 1);
    if (day.archivedOn === null && !day.dropped && age >= policy.archiveAfterDays + TIME_TO_ARCHIVE_DAYS)
      day.archivedOn = today;
  });
}

function dropReadings(policy: LifecyclePolicy, raw: RawDay[], today: number): string[] {
  return raw.flatMap((day, number) => {
    if (day.dropped || today - (number + 1) < policy.rawDays) return [];
    day.dropped = true;
    return day.archivedOn === null ? [`day ${number} was dropped on day ${today} and is in no archive`] : [];
  });
}

function isExpired({ retentionDays }: LevelPolicy, day: number, today: number): boolean {
  return retentionDays !== null && today - (day + 1) > retentionDays;
}

function dropAggregates(policy: LifecyclePolicy, stored: Stored, today: number): void {
  for (const level of policy.levels)
    stored.get(level.name)?.forEach((_, day, values) => {
      if (isExpired(level, day, today)) values[day] = undefined;
    });
}

/** What every level has to have of days whose readings are gone: all of them, until its own retention. */
function findLost(policy: LifecyclePolicy, raw: RawDay[], stored: Stored, today: number): string[] {
  return policy.levels.flatMap((level) =>
    raw.flatMap(({ rows, dropped }, day) => {
      const value = stored.get(level.name)?.[day];
      if (!dropped || isExpired(level, day, today) || value === rows) return [];
      return [`${level.name} has ${value ?? 'nothing'} of the ${rows} readings of day ${day}, on day ${today}`];
    }),
  );
}
