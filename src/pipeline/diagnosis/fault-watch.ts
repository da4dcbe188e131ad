/**
 * Looks at one device all the time through the signatures: a window of some recent buckets against what was normal before
 * it, for windows of half a minute to days. It finds what a detector of sudden shifts cannot: what creeps, and what
 * happens in the first minutes of a recording, before a detector has learned.
 */
import type { ConditionName } from '../../telemetry/conditions.js';
import type { OperatingState } from '../../telemetry/operating-state.js';
import { type Bucket, BucketHistory } from './bucket-history.js';
import { diagnose, type Diagnosis } from './diagnose.js';
import { createReference, frequencyOf, type Reference } from './reference.js';
import { SIGNATURES } from './signatures.js';
import { symptomsOf } from './symptoms.js';

/** Something that fits a signature, from its onset to the last moment at which it was seen. */
export interface Finding {
  readonly condition: ConditionName;
  readonly onsetUs: number;
  readonly foundUs: number;
  lastSeenUs: number;
  ranking: readonly Diagnosis[];
}

/** Buckets of a window, how often it is looked at, and how many buckets of normal operation must lie before it. */
interface Window {
  readonly buckets: number;
  readonly every: number;
  readonly leastBefore: number;
  /** Records that its last bucket must have: single ones say too little about unrest. */
  readonly leastRecords?: number;
}

/** What one look at a window found. */
interface Look {
  readonly diagnosis: Diagnosis;
  readonly ranking: readonly Diagnosis[];
  readonly window: Window;
  readonly onsetUs: number;
}

const FINE_WINDOWS: readonly Window[] = [
  { buckets: 3, every: 1, leastBefore: 6 },
  { buckets: 5, every: 1, leastBefore: 6, leastRecords: 2 },
  { buckets: 8, every: 2, leastBefore: 6 },
  { buckets: 24, every: 6, leastBefore: 8 },
  { buckets: 72, every: 12, leastBefore: 12 },
  { buckets: 180, every: 20, leastBefore: 24 },
];
const COARSE_WINDOWS: readonly Window[] = [
  { buckets: 12, every: 2, leastBefore: 6 },
  { buckets: 48, every: 6, leastBefore: 12 },
  { buckets: 144, every: 12, leastBefore: 24 },
  { buckets: 288, every: 24, leastBefore: 48 },
];
/** Confidence from which something is found; shortly after a start or another speed more is asked for. */
const OPENS = 0.58;
const OPENS_UNSETTLED = 0.75;
const SETTLED_AFTER_US = 1800e6;
/** Looks in a row that have to agree. */
const CONFIRMATIONS = 2;
/** Confidence down to which it is still going on. */
const STAYS = 0.25;
const STILL_ON_BUCKETS = 10;

export class FaultWatch {
  readonly #history = new BucketHistory();
  #finding: Finding | undefined;
  #before: readonly Bucket[] = [];
  /** Of `#before`, for the frequency of now. */
  #normal: { frequencyHz: number; reference: Reference } | undefined;
  #suspected: { condition: ConditionName; window: Window; looks: number; onsetUs: number } | undefined;
  #fineCount = 0;
  #coarseCount = 0;
  #references = new Map<Window, { atCount: number; frequencyHz: number; reference: Reference }>();

  /** What is going on now. */
  get finding(): Finding | undefined {
    return this.#finding;
  }

  /** Takes the next record of the device (values from `base` on). @returns whether it looked again */
  add(timestampUs: number, values: Float32Array, base: number, state: OperatingState): boolean {
    const coarseBefore = this.#history.coarse.length;
    const bucket = this.#history.add(timestampUs, values, base, state);
    if (bucket === undefined) return false;
    this.#fineCount++;
    if (this.#finding !== undefined) bucket.isExcluded = true;
    if (!bucket.isSteady) {
      this.#suspected = undefined;
      return true;
    }
    if (this.#finding === undefined) this.#search(this.#history.fine, FINE_WINDOWS, this.#fineCount, false);
    else this.#follow(this.#finding, bucket);
    if (this.#history.coarse.length !== coarseBefore) {
      this.#coarseCount++;
      if (this.#finding === undefined) this.#search(this.#history.coarse, COARSE_WINDOWS, this.#coarseCount, true);
    }
    return true;
  }

  /** Ends what is going on: the pump was stopped, or it has been quiet for long enough. */
  close(): void {
    this.#finding = undefined;
    this.#before = [];
    this.#normal = undefined;
    this.#suspected = undefined;
  }

  /** Diagnoses from a time on, with what was before it as the measure; empty where there is too little of either. */
  rank(sinceUs: number): readonly Diagnosis[] {
    const { fine, coarse } = this.#history;
    const buckets = (fine[0]?.fromUs ?? Number.POSITIVE_INFINITY) < sinceUs ? fine : coarse;
    const during = buckets.filter(({ toUs, isSteady }) => toUs >= sinceUs && isSteady);
    const before =
      this.#before.length > 0
        ? this.#before
        : buckets.filter(({ toUs, isSteady, isExcluded }) => toUs < sinceUs && isSteady && !isExcluded);
    if (during.length === 0 || before.length < 3) return [];
    const reference = createReference(before, frequencyOf(during));
    return diagnose(symptomsOf(reference, during, this.#history.stillMask));
  }

  #search(buckets: readonly Bucket[], windows: readonly Window[], count: number, isCoarse: boolean): void {
    let found: Look | undefined;
    for (const window of windows) {
      if (count % window.every !== 0 || (buckets.at(-1)?.records ?? 0) < (window.leastRecords ?? 1)) continue;
      const from = buckets.length - window.buckets;
      if (from < window.leastBefore || buckets.slice(from).some(({ isSteady }) => !isSteady)) continue;
      const ranking = this.#look(buckets, window, count, isCoarse);
      const diagnosis = ranking.find(({ condition }) => isCoarse || SIGNATURES[condition].isSlow !== true);
      const isEnough = diagnosis !== undefined && diagnosis.confidence >= this.#opensAt(buckets);
      if (isEnough && diagnosis.confidence > (found?.diagnosis.confidence ?? 0))
        found = { diagnosis, ranking, window, onsetUs: (buckets[from] as Bucket).fromUs };
      // The window that raised the suspicion looked again, and it was nothing.
      else if (!isEnough && this.#suspected?.window === window) this.#suspected = undefined;
    }
    if (found !== undefined) this.#suspect(buckets, found, isCoarse);
  }

  #opensAt(buckets: readonly Bucket[]): number {
    const last = buckets.at(-1) as Bucket;
    return last.toUs - this.#history.operatedUs < SETTLED_AFTER_US ? OPENS_UNSETTLED : OPENS;
  }

  #suspect(buckets: readonly Bucket[], { diagnosis, ranking, window, onsetUs: seenUs }: Look, isCoarse: boolean): void {
    const { condition } = diagnosis;
    const known = this.#suspected?.condition === condition ? this.#suspected : undefined;
    const onsetUs = Math.min(known?.onsetUs ?? seenUs, seenUs);
    this.#suspected = { condition, window: known?.window ?? window, looks: (known?.looks ?? 0) + 1, onsetUs };
    if (this.#suspected.looks < CONFIRMATIONS && !isCoarse) return;
    const nowUs = (buckets.at(-1) as Bucket).toUs;
    this.#before = buckets.filter(({ toUs, isSteady, isExcluded }) => toUs < onsetUs && isSteady && !isExcluded);
    this.#normal = undefined;
    this.#finding = { condition, onsetUs, foundUs: nowUs, lastSeenUs: nowUs, ranking };
    this.#suspected = undefined;
    for (const bucket of this.#history.fine) if (bucket.toUs >= onsetUs) bucket.isExcluded = true;
    for (const bucket of this.#history.coarse) if (bucket.toUs >= onsetUs) bucket.isExcluded = true;
  }

  /** The ranking of a window that ends now. References are kept for a while: medians are what costs. */
  #look(buckets: readonly Bucket[], window: Window, count: number, isCoarse: boolean): readonly Diagnosis[] {
    const during = buckets.slice(-window.buckets);
    const frequencyHz = frequencyOf(during);
    const kept = this.#references.get(window);
    const refreshAfter = isCoarse ? 4 : Math.min(12, Math.max(1, buckets.length >> 3));
    let reference = kept?.reference;
    if (kept === undefined || count - kept.atCount >= refreshAfter || Math.abs(frequencyHz - kept.frequencyHz) > 0.3) {
      const before = buckets.slice(0, -window.buckets).filter(({ isSteady, isExcluded }) => isSteady && !isExcluded);
      if (before.length < window.leastBefore) return [];
      reference = createReference(before, frequencyHz);
      this.#references.set(window, { atCount: count, frequencyHz, reference });
    }
    return diagnose(symptomsOf(reference as Reference, during, this.#history.stillMask));
  }

  /** Whether what was found is still there. */
  #follow(finding: Finding, bucket: Bucket): void {
    const recent = this.#history.fine
      .slice(-STILL_ON_BUCKETS)
      .filter(({ isSteady, toUs }) => isSteady && toUs >= finding.onsetUs);
    if (recent.length === 0 || this.#before.length === 0) return;
    const frequencyHz = frequencyOf(recent);
    if (this.#normal === undefined || Math.abs(this.#normal.frequencyHz - frequencyHz) > 0.3)
      this.#normal = { frequencyHz, reference: createReference(this.#before, frequencyHz) };
    const ranking = diagnose(symptomsOf(this.#normal.reference, recent, this.#history.stillMask));
    const isSlow = SIGNATURES[finding.condition].isSlow === true;
    // A slow one is not to be seen in a minute: it goes on as long as the pump does.
    if (isSlow || (ranking[0]?.confidence ?? 0) >= STAYS) finding.lastSeenUs = bucket.toUs;
  }
}
