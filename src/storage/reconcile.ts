/**
 * What becomes of two reports with the same device and time (requirements.md, S1). Pure.
 *
 * What a report says are its channel values, the channels whose value was impossible, and its raw values. A report
 * that says nothing new is a duplicate; one that contradicts a channel is a conflict, as a whole; any other one is
 * merged. Values and the impossible channels are united and the missing channels intersected, so that any order,
 * split and repetition of reports that do not contradict each other ends in the same values, masks and score.
 *
 * Lateness and deviation are verdicts on an arrival: a repetition that arrives late adds nothing and changes nothing.
 */
import { CHANNEL_COUNT, CHANNELS, channel } from '../telemetry/channels.js';
import { OperatingState } from '../telemetry/operating-state.js';
import { CHANNEL_BITS, QualityFlag } from '../telemetry/quality-flags.js';

/** What a row says beside its key; NaN and −1 stand for NULL as in `ReadingBatch`. */
export interface RowValues {
  /** By catalogue position, float32 as stored. */
  readonly values: Float32Array;
  readonly flagsLow: number;
  readonly flagsHigh: number;
  readonly isAnomaly: boolean;
  readonly anomalyScore: number;
  readonly anomalyCause: number;
  readonly operatingState: number;
  /** JSON object, or undefined. */
  readonly rawValues: string | undefined;
}

export type Reconciliation =
  | { readonly kind: 'duplicate' }
  /** The catalogue position of the first channel that they disagree about, and both values. */
  | { readonly kind: 'conflict'; readonly channel: number; readonly existing: number; readonly incoming: number }
  /** The quality score is `scoreOfFlags` of the merged flags. */
  | { readonly kind: 'merged'; readonly row: RowValues };

const TEMPERATURE = channel('temperature').index;
const DUPLICATE: Reconciliation = { kind: 'duplicate' };
/** Stays only where it holds for both: a row is unevaluated when the detector saw neither report. */
const INTERSECTED_FLAGS = QualityFlag.notEvaluated;
/** Verdicts of rules that compare a row with those before it. */
const LOOKING_BACK_FLAGS = QualityFlag.rateOfChange | QualityFlag.frozenReading | QualityFlag.gaugeLoss;

/** Decides about `incoming`, given that `existing` was there first. */
export function reconcile(existing: RowValues, incoming: RowValues): Reconciliation {
  let fills = false;
  for (let channel = 0; channel < CHANNEL_COUNT; channel++) {
    const given = incoming.values[channel] as number;
    if (Number.isNaN(given)) continue;
    const stored = existing.values[channel] as number;
    if (Number.isNaN(stored)) fills = true;
    else if (stored !== given) return { kind: 'conflict', channel, existing: stored, incoming: given };
  }
  const newlyImpossible = (incoming.flagsHigh & ~existing.flagsHigh) !== 0;
  const rawValues = joinRawValues(existing.rawValues, incoming.rawValues);
  if (!fills && !newlyImpossible && rawValues === existing.rawValues) return DUPLICATE;
  return { kind: 'merged', row: merge(existing, incoming, rawValues) };
}

function merge(existing: RowValues, incoming: RowValues, rawValues: string | undefined): RowValues {
  const flagsHigh = existing.flagsHigh | incoming.flagsHigh;
  const missing = existing.flagsLow & incoming.flagsLow & CHANNEL_BITS & ~flagsHigh;
  const united = (existing.flagsLow | incoming.flagsLow) & ~CHANNEL_BITS & ~INTERSECTED_FLAGS;
  const intersected = existing.flagsLow & incoming.flagsLow & INTERSECTED_FLAGS;
  const greater = greaterAnomaly(existing, incoming);
  return {
    values: existing.values.map((value, channel) =>
      Number.isNaN(value) ? (incoming.values[channel] as number) : value,
    ),
    flagsLow: missing | united | intersected | QualityFlag.merged,
    flagsHigh,
    isAnomaly: existing.isAnomaly || incoming.isAnomaly,
    anomalyScore: greater.anomalyScore,
    anomalyCause: greater.anomalyCause,
    operatingState:
      existing.operatingState === OperatingState.unknown ? incoming.operatingState : existing.operatingState,
    rawValues,
  };
}

/** A value of a stored row that another one took the place of. */
export interface ReplacedValue {
  /** Catalogue position. */
  readonly channel: number;
  readonly stored: number;
  readonly given: number;
}

/**
 * The row in which `incoming` counts wherever both say something, by somebody's decision. Detector and rules judged values
 * that are not there any more: their verdict goes, and the row counts as not evaluated.
 */
export function overwrite(existing: RowValues, incoming: RowValues): { row: RowValues; replaced: ReplacedValue[] } {
  const replaced: ReplacedValue[] = [];
  const values = existing.values.map((stored, channel) => {
    const given = incoming.values[channel] as number;
    if (Number.isNaN(given)) return stored;
    if (!Number.isNaN(stored) && stored !== given) replaced.push({ channel, stored, given });
    return given;
  });
  const flagsHigh = existing.flagsHigh | incoming.flagsHigh;
  const deviation = replaced.some(({ channel }) => channel === TEMPERATURE) ? QualityFlag.temperatureDeviation : 0;
  const stale = deviation | LOOKING_BACK_FLAGS;
  const missing = existing.flagsLow & incoming.flagsLow & CHANNEL_BITS & ~flagsHigh;
  const united = ((existing.flagsLow & ~stale) | incoming.flagsLow) & ~CHANNEL_BITS;
  const row: RowValues = {
    values,
    flagsLow: missing | united | QualityFlag.merged | QualityFlag.notEvaluated,
    flagsHigh,
    isAnomaly: false,
    anomalyScore: Number.NaN,
    anomalyCause: -1,
    operatingState:
      incoming.operatingState === OperatingState.unknown ? existing.operatingState : incoming.operatingState,
    rawValues: joinRawValues(incoming.rawValues, existing.rawValues),
  };
  return { row, replaced };
}

/** Whose score and cause the merged row takes: an anomaly before none, then the greater score, then the first. */
function greaterAnomaly(existing: RowValues, incoming: RowValues): RowValues {
  if (existing.isAnomaly !== incoming.isAnomaly) return existing.isAnomaly ? existing : incoming;
  if (Number.isNaN(incoming.anomalyScore)) return existing;
  return existing.anomalyScore >= incoming.anomalyScore ? existing : incoming;
}

/** Both objects' members; where both have one, the existing row's stays. The same text where nothing is added. */
function joinRawValues(existing: string | undefined, incoming: string | undefined): string | undefined {
  if (incoming === undefined || incoming === existing) return existing;
  if (existing === undefined) return incoming;
  const first = JSON.parse(existing) as Record<string, unknown>;
  const second = JSON.parse(incoming) as Record<string, unknown>;
  if (Object.keys(second).every((key) => Object.hasOwn(first, key))) return existing;
  return JSON.stringify({ ...second, ...first });
}

/** A conflict in words, for the sender of the report that is refused. */
export function describeConflict(conflict: Extract<Reconciliation, { kind: 'conflict' }>): string {
  const { name, unit } = CHANNELS[conflict.channel] as (typeof CHANNELS)[number];
  return (
    `${name} is ${shortest(conflict.existing)} ${unit} in the row stored under this device and time, and ` +
    `${shortest(conflict.incoming)} ${unit} in this record; the first stays. Correct the row, or send another time.`
  );
}

/** The shortest decimal that reads back as this float32: 21.3, not 21.299999237060547. */
function shortest(value: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(value);
}
