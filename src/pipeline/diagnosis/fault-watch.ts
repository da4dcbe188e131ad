/**
 * Looks at one device all the time through the signatures: a window of some recent buckets against what was normal before
 * it, for windows of half a minute to days. It finds what a detector of sudden shifts cannot: what creeps, and what
 * happens in the first minutes of a recording, before a detector has learned.
 */
import type { ConditionName } from '../../telemetry/conditions.js';
import type { OperatingState } from '../../telemetry/operating-state.js';
import type { StateReader, StateWriter } from '../state-bytes.js';
import { goneMask } from './absence.js';
import { BucketHistory } from './bucket-history.js';
import { type Bucket, BucketRing, ringOf } from './bucket-ring.js';
import { creepOf } from './creep.js';
import { diagnose, type Diagnosis, hasLostItsLoad } from './diagnose.js';
import { createReference, frequencyAtEnd, type Reference } from './reference.js';
import { ReferenceCache } from './reference-cache.js';
import { SIGNATURES } from './signatures.js';
import { type Circumstances, type Symptoms, symptomsOf } from './symptoms.js';

/** Something that fits a signature, from its onset to the last moment at which it was seen. */
export interface Finding {
  /** undefined: something is certainly wrong, and it has no name yet. */
  readonly condition: ConditionName | undefined;
  readonly onsetUs: number;
  readonly foundUs: number;
  readonly lastSeenUs: number;
  readonly ranking: readonly Diagnosis[];
}

/** A finding that grows as it is looked at. */
type OwnFinding = Finding & { lastSeenUs: number };

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
  readonly condition: ConditionName | undefined;
  readonly confidence: number;
  readonly ranking: readonly Diagnosis[];
  readonly window: Window;
  readonly onsetUs: number;
}

/** What was found once, and has to be found again; `window` is the number of the one that saw it first. */
interface Suspicion {
  readonly window: number;
  readonly looks: number;
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
/** Saved by their place here: a change of it is another version of the saved state. */
const WINDOWS: readonly Window[] = [...FINE_WINDOWS, ...COARSE_WINDOWS];
/** Confidence from which something is found; shortly after a start or another speed more is asked for. */
const OPENS = 0.58;
const OPENS_UNSETTLED = 0.75;
const SETTLED_AFTER_US = 1800e6;
/** Looks in a row that have to find something. */
const CONFIRMATIONS = 2;
/** Confidence that needs no second look, where it does not rest on single records. */
const SURE = 0.85;
/** Confidence down to which it is still going on. */
const STAYS = 0.25;
const STILL_ON_BUCKETS = 10;
/** Share of a window that may be unsteady by spikes. */
const MOST_UNSTEADY = 0.35;

export class FaultWatch {
  readonly #history = new BucketHistory();
  #finding: OwnFinding | undefined;
  /** What was normal before the finding: the history may forget it while that goes on. */
  #before: BucketRing = NOTHING;
  /** Of `#before`, for the frequency of now. */
  #normal: { frequencyHz: number; reference: Reference } | undefined;
  #suspected: Suspicion | undefined;
  #fineCount = 0;
  #coarseCount = 0;
  readonly #references = new ReferenceCache();

  /** What is going on now. */
  get finding(): Finding | undefined {
    return this.#finding;
  }

  get #circumstances(): Circumstances {
    const { stillMask, fine, operatedUs } = this.#history;
    return { stillMask, goneMask: goneMask(fine), operatedUs };
  }

  /** Takes the next record of the device (values from `base` on). @returns whether it looked again */
  add(timestampUs: number, values: Float32Array, base: number, state: OperatingState): boolean {
    const { fine, coarse } = this.#history;
    const coarseUs = coarse.length === 0 ? Number.NaN : coarse.toUs(coarse.length - 1);
    if (!this.#history.add(timestampUs, values, base, state)) return false;
    const last = fine.length - 1;
    this.#fineCount++;
    if (this.#finding !== undefined) fine.exclude(last);
    if (!fine.isSteady(last)) {
      this.#suspected = undefined;
      return true;
    }
    if (this.#finding === undefined) this.#search(fine, FINE_WINDOWS, this.#fineCount);
    else this.#follow(this.#finding, fine.toUs(last));
    if (coarse.length > 0 && coarse.toUs(coarse.length - 1) !== coarseUs) {
      this.#coarseCount++;
      const isDue = COARSE_WINDOWS.some(({ every }) => this.#coarseCount % every === 0);
      if (isDue && this.#finding === undefined)
        this.#search(ringOf(creepOf(allOf(coarse))), COARSE_WINDOWS, this.#coarseCount);
    }
    return true;
  }

  /** Ends what is going on: the pump was stopped, or it has been quiet for long enough. */
  close(): void {
    this.#finding = undefined;
    this.#before = NOTHING;
    this.#normal = undefined;
    this.#suspected = undefined;
  }

  /** Diagnoses from a time on, with what was before it as the measure; empty where there is too little of either. */
  rank(sinceUs: number): readonly Diagnosis[] {
    const { fine, coarse } = this.#history;
    const isCreeping = this.#finding !== undefined && isSlow(this.#finding);
    const isRecent = fine.length > 0 && fine.fromUs(0) < sinceUs;
    const buckets = isRecent ? fine : isCreeping ? ringOf(creepOf(allOf(coarse))) : coarse;
    const during = buckets.select(0, buckets.length, (at) => buckets.toUs(at) >= sinceUs && buckets.isSteady(at));
    const before =
      this.#before.length > 0 && (isRecent || !isCreeping)
        ? allOf(this.#before)
        : buckets.select(0, buckets.length, (at) => buckets.toUs(at) < sinceUs && isNormal(buckets, at));
    if (during.length === 0 || before.length < 3) return [];
    const reference = createReference(before, frequencyAtEnd(during));
    return diagnose(symptomsOf(reference, during, this.#circumstances));
  }

  save(writer: StateWriter): void {
    this.#history.save(writer);
    writer.number(this.#fineCount);
    writer.number(this.#coarseCount);
    writer.count(this.#before.length);
    this.#before.save(writer);
    // A reference for the frequency of now is made anew only where that changes, so it is part of the state.
    const normal = new ReferenceCache();
    if (this.#normal !== undefined) normal.set(0, { atCount: 0, ...this.#normal });
    normal.save(writer);
    this.#references.save(writer);
    writer.json({ finding: this.#finding ?? null, suspected: this.#suspected ?? null });
  }

  /** Takes what was saved; to be called once, on a new one. @throws StateMismatch */
  restore(reader: StateReader): void {
    this.#history.restore(reader);
    this.#fineCount = reader.number();
    this.#coarseCount = reader.number();
    this.#before = new BucketRing(reader.count());
    this.#before.restore(reader);
    const normal = new ReferenceCache();
    normal.restore(reader);
    this.#normal = normal.get(0);
    this.#references.restore(reader);
    const { finding, suspected } = reader.json() as { finding: OwnFinding | null; suspected: Suspicion | null };
    this.#finding = finding ?? undefined;
    this.#suspected = suspected ?? undefined;
  }

  #search(buckets: BucketRing, windows: readonly Window[], count: number): void {
    const isCoarse = windows === COARSE_WINDOWS;
    const last = buckets.length - 1;
    let found: Look | undefined;
    for (const window of windows) {
      if (count % window.every !== 0 || buckets.records(last) < (window.leastRecords ?? 1)) continue;
      const from = buckets.length - window.buckets;
      if (from < window.leastBefore || this.#isDisturbed(buckets, from)) continue;
      const symptoms = this.#look(buckets, window, count);
      if (symptoms === undefined) continue;
      const ranking = diagnose(symptoms);
      const best = ranking.find(({ condition }) => isCoarse || SIGNATURES[condition].isSlow !== true);
      const opensAt = this.#opensAt(buckets);
      const isLost = opensAt === OPENS && hasLostItsLoad(symptoms);
      const confidence = Math.max(best?.confidence ?? 0, isLost ? OPENS : 0);
      const isEnough = confidence >= opensAt;
      if (isEnough && confidence > (found?.confidence ?? 0))
        found = { condition: best?.condition, confidence, ranking, window, onsetUs: buckets.fromUs(from) };
      // The window that raised the suspicion looked again, and it was nothing.
      else if (!isEnough && this.#suspected?.window === WINDOWS.indexOf(window)) this.#suspected = undefined;
    }
    if (found !== undefined) this.#suspect(buckets, found, isCoarse);
  }

  /** Whether a window is about operation. Where the pump was not operated since it began, what is unsteady in it are spikes of the frequency. */
  #isDisturbed(buckets: BucketRing, from: number): boolean {
    const unsteady = unsteadyOf(buckets, from);
    const isOperated = this.#history.operatedUs >= buckets.fromUs(from);
    return unsteady > 0 && (isOperated || unsteady > MOST_UNSTEADY * (buckets.length - from));
  }

  #opensAt(buckets: BucketRing): number {
    const lastUs = buckets.toUs(buckets.length - 1);
    return lastUs - this.#history.operatedUs < SETTLED_AFTER_US ? OPENS_UNSETTLED : OPENS;
  }

  #suspect(buckets: BucketRing, look: Look, isCoarse: boolean): void {
    const { condition, confidence, ranking, window, onsetUs: seenUs } = look;
    // Whatever its name: that something is wrong is what has to be confirmed.
    const known = this.#suspected;
    const onsetUs = Math.min(known?.onsetUs ?? seenUs, seenUs);
    const looks = (known?.looks ?? 0) + 1;
    this.#suspected = { window: known?.window ?? WINDOWS.indexOf(window), looks, onsetUs };
    const last = buckets.length - 1;
    const isSure = confidence >= SURE && buckets.records(last) > 1;
    if (looks < CONFIRMATIONS && !isSure && !isCoarse) return;
    const nowUs = buckets.toUs(last);
    const all = isCoarse ? this.#history.coarse : buckets;
    const isBefore = (at: number): boolean => all.toUs(at) < onsetUs && isNormal(all, at);
    this.#before = ringOf(all.select(0, all.length, isBefore));
    this.#normal = undefined;
    this.#finding = { condition, onsetUs, foundUs: nowUs, lastSeenUs: nowUs, ranking };
    this.#suspected = undefined;
    for (const ring of [this.#history.fine, this.#history.coarse])
      for (let at = 0; at < ring.length; at++) if (ring.toUs(at) >= onsetUs) ring.exclude(at);
  }

  /** What is different in a window that ends now. */
  #look(buckets: BucketRing, window: Window, count: number): Symptoms | undefined {
    const from = buckets.length - window.buckets;
    const during = buckets.select(from, buckets.length, (at) => buckets.isSteady(at));
    const frequencyHz = frequencyAtEnd(during);
    const place = WINDOWS.indexOf(window);
    const kept = this.#references.get(place);
    // What creeps is laid out anew each time.
    const refreshAfter = buckets === this.#history.fine ? Math.min(12, Math.max(1, buckets.length >> 3)) : 0;
    let reference = kept?.reference;
    if (kept === undefined || count - kept.atCount >= refreshAfter || Math.abs(frequencyHz - kept.frequencyHz) > 0.3) {
      const before = buckets.select(0, from, (at) => isNormal(buckets, at));
      if (before.length < window.leastBefore) return undefined;
      reference = createReference(before, frequencyHz);
      this.#references.set(place, { atCount: count, frequencyHz, reference });
    }
    return symptomsOf(reference as Reference, during, this.#circumstances);
  }

  /** Whether what was found is still there. */
  #follow(finding: OwnFinding, nowUs: number): void {
    const { fine } = this.#history;
    const isRecent = (at: number): boolean => fine.isSteady(at) && fine.toUs(at) >= finding.onsetUs;
    const recent = fine.select(fine.length - STILL_ON_BUCKETS, fine.length, isRecent);
    if (recent.length === 0 || this.#before.length === 0) return;
    const frequencyHz = frequencyAtEnd(recent);
    if (this.#normal === undefined || Math.abs(this.#normal.frequencyHz - frequencyHz) > 0.3) {
      const before = this.#before.select(0, this.#before.length);
      this.#normal = { frequencyHz, reference: createReference(before, frequencyHz) };
    }
    const symptoms = symptomsOf(this.#normal.reference, recent, this.#circumstances);
    const isStill = (diagnose(symptoms)[0]?.confidence ?? 0) >= STAYS || hasLostItsLoad(symptoms);
    // A slow one is not to be seen in a minute: it goes on as long as the pump does.
    if (isStill || isSlow(finding)) finding.lastSeenUs = nowUs;
  }
}

const isSlow = ({ condition }: Finding): boolean => condition !== undefined && SIGNATURES[condition].isSlow === true;

const allOf = (buckets: BucketRing): Bucket[] => buckets.select(0, buckets.length);

const NOTHING = new BucketRing(0);

const isNormal = (buckets: BucketRing, at: number): boolean => buckets.isSteady(at) && !buckets.isExcluded(at);

function unsteadyOf(buckets: BucketRing, from: number): number {
  let count = 0;
  for (let at = from; at < buckets.length; at++) if (!buckets.isSteady(at)) count++;
  return count;
}
