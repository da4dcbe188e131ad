/**
 * Which signature fits what is seen, with the evidence for and against it. Every condition gets a confidence, and none may
 * fit: then the answer is that none does.
 */
import { channel, type ChannelName } from '../../telemetry/channels.js';
import { CONDITION_NAMES, type ConditionName } from '../../telemetry/conditions.js';
import { look, type Sight, type Verdict } from './expectation.js';
import { SIGNATURES, type Expectation } from './signatures.js';
import { ramp, type Symptoms } from './symptoms.js';

export interface Evidence {
  /** What is as the condition would have it. */
  readonly for: readonly string[];
  /** What is not. */
  readonly against: readonly string[];
  /** What could have told, were there such an instrument. */
  readonly missing: readonly string[];
}

export interface Diagnosis {
  readonly condition: ConditionName;
  /** 0 … 1. */
  readonly confidence: number;
  readonly evidence: Evidence;
  /** The channel that speaks for it most; undefined where it is about several at once. */
  readonly channel: ChannelName | undefined;
}

/** Below this confidence a signature does not fit. */
const FITS = 0.4;
/** Down to this confidence a condition is listed. */
const WORTH_A_REASON = 0.05;
const NO_EVIDENCE: Evidence = { for: [], against: [], missing: [] };
/** Agreement from which something is evidence. */
const TELLING = 0.25;
/** Expectations whose absence counts for no more than this come late; until then they weigh this share. */
const COMES_LATE = 0.2;
const YET_TO_COME = 0.3;
/** Confidence that is left where nothing but the necessary could be looked at. */
const BLIND = 0.55;
/** The affinity laws are an approximation: what was compared over a change of speed counts for less. */
const OTHER_SPEED = 0.85;
const LOST = 0.9;
/** Buckets of normal operation that make a good reference, and what a poor one leaves of the confidence. */
const GOOD_REFERENCE = 18;
const POOR_REFERENCE = 0.8;

/** All conditions, the likeliest first; what does not fit at all is left out. */
export function diagnose(symptoms: Symptoms): Diagnosis[] {
  return CONDITION_NAMES.map((condition) => judge(condition, symptoms))
    .filter(({ confidence }) => confidence > WORTH_A_REASON)
    .toSorted((a, b) => b.confidence - a.confidence);
}

/** Falls of current and flow that nothing but a fault brings while the pump turns as before. */
const LOAD_FALLS: Sight = { sees: 'falls', channel: 'motor_current', slight: 0.15, clear: 0.25 };
const FLOW_FALLS: Sight = { sees: 'falls', channel: 'flow_rate', slight: 0.3, clear: 0.6 };

/**
 * Whether the motor has lost its load, and the flow with it where that is known: gas, a broken shaft and a closed valve all begin so, and are told
 * apart only later.
 */
export function hasLostItsLoad(symptoms: Symptoms): boolean {
  const flow = look(FLOW_FALLS, symptoms).agreement;
  const isOtherSpeed = symptoms.isOtherSpeed || symptoms.reference.isConverted;
  return look(LOAD_FALLS, symptoms).agreement >= LOST && (Number.isNaN(flow) || flow >= LOST) && !isOtherSpeed;
}

/** The likeliest condition, if it fits. */
export function bestOf(ranking: readonly Diagnosis[]): Diagnosis | undefined {
  const [best] = ranking;
  return best !== undefined && best.confidence >= FITS ? best : undefined;
}

function judge(condition: ConditionName, symptoms: Symptoms): Diagnosis {
  const { expects, needs } = SIGNATURES[condition];
  const verdicts = expects.map(({ sight }) => look(sight, symptoms));
  let told = 0;
  let all = 0;
  let agreed = 0;
  for (const [at, expectation] of expects.entries()) {
    const { agreement } = verdicts[at] as Verdict;
    const weight = isYetToCome(expectation, agreement) ? YET_TO_COME * expectation.weight : expectation.weight;
    // That something is not creeping needs no instrument of its own.
    if (Number.isNaN(agreement) && expectation.sight.sees === 'swift') continue;
    all += weight;
    if (Number.isNaN(agreement)) continue;
    told += weight;
    agreed += weight * agreement;
  }
  const coverage = all === 0 ? 0 : told / all;
  const score = told === 0 ? 0 : Math.max(0, agreed / told);
  const { buckets, isConverted } = symptoms.reference;
  const confidence =
    needed(needs, symptoms) *
    score *
    (BLIND + (1 - BLIND) * coverage) *
    (POOR_REFERENCE + (1 - POOR_REFERENCE) * ramp(buckets, 3, GOOD_REFERENCE)) *
    (symptoms.isOtherSpeed || isConverted ? OTHER_SPEED : 1);
  if (confidence <= WORTH_A_REASON) return { condition, confidence, evidence: NO_EVIDENCE, channel: undefined };
  return { condition, confidence: Math.round(confidence * 1000) / 1000, ...reasons(expects, verdicts, symptoms) };
}

/** What comes late in a fault says little as long as it has not come. */
function isYetToCome({ sight }: Expectation, agreement: number): boolean {
  const absence = 'absence' in sight ? sight.absence : undefined;
  return absence !== undefined && absence <= COMES_LATE && agreement <= 0.1 && agreement >= -absence;
}

/** The evidence in words, and the channel that speaks most for the condition. */
function reasons(
  expects: readonly Expectation[],
  verdicts: readonly Verdict[],
  symptoms: Symptoms,
): Pick<Diagnosis, 'evidence' | 'channel'> {
  const evidence = { for: [] as string[], against: [] as string[], missing: [] as string[] };
  let most = 0;
  let telling: ChannelName | undefined;
  for (const [at, expectation] of expects.entries()) {
    const { agreement, words } = verdicts[at] as Verdict;
    if (Number.isNaN(agreement)) noteMissing(evidence.missing, expectation, symptoms);
    else if (agreement >= TELLING) noteWords(evidence.for, words());
    else if (agreement <= -TELLING) noteWords(evidence.against, words());
    if (!(expectation.weight * agreement > most) || !('channel' in expectation.sight)) continue;
    most = expectation.weight * agreement;
    telling = expectation.sight.channel;
  }
  return { evidence, channel: telling };
}

/** How far what a condition cannot do without is there, 0 … 1. */
function needed(groups: readonly (readonly Sight[])[], symptoms: Symptoms): number {
  let factor = 1;
  for (const group of groups) {
    const best = Math.max(
      ...group.map((sight) => look(sight, symptoms).agreement).map((value) => (Number.isNaN(value) ? -1 : value)),
    );
    factor *= ramp(best, -0.1, 0.25);
  }
  return factor;
}

function noteWords(list: string[], words: string): void {
  if (words !== '' && !list.includes(words)) list.push(words);
}

function noteMissing(list: string[], { sight }: Expectation, symptoms: Symptoms): void {
  if (!('channel' in sight)) return;
  const name: ChannelName = sight.channel;
  const label = channel(name).label.toLowerCase();
  const presence = symptoms.channels.get(name)?.presence ?? 'absent';
  if (presence === 'present') return;
  noteWords(list, presence === 'absent' ? `there is no ${label}` : `${label} is not to be believed now`);
}
