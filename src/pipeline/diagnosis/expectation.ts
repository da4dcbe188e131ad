/**
 * What a signature expects of a channel, and how far what is seen agrees: +1 it is so, 0 neither, −1 it speaks against,
 * NaN it cannot be told. The words for it have the figures in them.
 */
import { channel, type ChannelName } from '../../telemetry/channels.js';
import { DOWNHOLE } from './still-runs.js';
import { type ChannelSymptoms, ramp, type Symptoms } from './symptoms.js';

/** `slight` … `clear`: where a change begins to count and where it is beyond doubt, as a share of the level (20 °C for temperatures). */
interface Change {
  readonly channel: ChannelName;
  readonly slight: number;
  readonly clear: number;
  /** How much it speaks against the condition where the change has not come (yet): 0 … 1; default 0.5. */
  readonly absence?: number;
}

export type Sight =
  | ({ readonly sees: 'falls' | 'rises' } & Change)
  /** No more than `within` away from where it was. */
  | { readonly sees: 'steady'; readonly channel: ChannelName; readonly within: number }
  | { readonly sees: 'not rising' | 'not falling'; readonly channel: ChannelName; readonly within: number }
  | { readonly sees: 'unrest' | 'calm'; readonly channel: ChannelName; readonly absence?: number }
  | { readonly sees: 'gradual' | 'sudden'; readonly channel: ChannelName }
  /** Does not creep for half a day and more. */
  | { readonly sees: 'swift'; readonly channel: ChannelName }
  /** Below (above) a share of what it was. */
  | { readonly sees: 'below' | 'above'; readonly channel: ChannelName; readonly share: number }
  /** Lasts so long, seconds. */
  | { readonly sees: 'lasting'; readonly seconds: number }
  /** The pump was neither started nor changed its speed for so long, seconds. */
  | { readonly sees: 'settled'; readonly seconds: number }
  | { readonly sees: 'gauge lost' | 'one still' };

export interface Verdict {
  /** −1 … 1, or NaN. */
  readonly agreement: number;
  /** Made only when somebody reads them. */
  readonly words: () => string;
}

/** Unrest from this multiple on is fluctuation; below the lower one it is none. */
const CALM_RATIO = 1.6;
const UNREST_RATIO = 3;
const HARD_UNREST_RATIO = 8;
const HOUR = 3600;
/** Share of a change that has to be new for it to be growing still. */
const GROWS = 0.2;
const UNTOLD: Verdict = { agreement: Number.NaN, words: () => '' };

export function look(sight: Sight, symptoms: Symptoms): Verdict {
  switch (sight.sees) {
    case 'lasting':
      return lasting(sight.seconds, symptoms.lastsSeconds);
    case 'settled':
      return settled(sight.seconds, symptoms.settledSeconds);
    case 'gauge lost':
      return gaugeLost(symptoms);
    case 'one still':
      return oneStill(symptoms);
    default: {
      const seen = symptoms.channels.get(sight.channel);
      return seen === undefined || seen.presence !== 'present' ? UNTOLD : lookAtChannel(sight, seen, symptoms);
    }
  }
}

type ChannelSight = Extract<Sight, { channel: ChannelName }>;

function lookAtChannel(sight: ChannelSight, seen: ChannelSymptoms, symptoms: Symptoms): Verdict {
  switch (sight.sees) {
    case 'falls':
      return { agreement: changeAgreement(-seen.change, seen.certainty, sight), words: () => changeWords(seen) };
    case 'rises':
      return { agreement: changeAgreement(seen.change, seen.certainty, sight), words: () => changeWords(seen) };
    case 'steady':
      return { agreement: steadyAgreement(Math.abs(seen.change), sight.within), words: () => changeWords(seen) };
    case 'not rising':
      return { agreement: oneSided(seen.change, sight.within), words: () => changeWords(seen) };
    case 'not falling':
      return { agreement: oneSided(-seen.change, sight.within), words: () => changeWords(seen) };
    case 'unrest':
      return { agreement: unrestAgreement(seen.unrest, sight.absence ?? 0.8), words: () => unrestWords(seen) };
    case 'calm':
      return { agreement: calmAgreement(seen.unrest), words: () => unrestWords(seen) };
    case 'gradual':
      return { agreement: paceAgreement(seen, symptoms, 1), words: () => paceWords(seen, symptoms) };
    case 'sudden':
      return { agreement: paceAgreement(seen, symptoms, -1), words: () => paceWords(seen, symptoms) };
    case 'swift':
      return swift(seen, symptoms);
    case 'below':
      return {
        agreement: 1 - 2 * ramp(seen.now / seen.before, sight.share * 0.6, sight.share * 1.4),
        words: () => shareWords(seen),
      };
    case 'above':
      return {
        agreement: 2 * ramp(seen.now / seen.before, sight.share * 0.6, sight.share * 1.4) - 1,
        words: () => shareWords(seen),
      };
  }
}

/** @param change in the expected direction */
function changeAgreement(change: number, certainty: number, { slight, clear, absence = 0.5 }: Change): number {
  if (change >= slight) return (0.3 + 0.7 * ramp(change, slight, clear)) * certainty - (1 - certainty) * absence * 0.5;
  if (change >= 0) return -absence * (1 - change / slight);
  return -absence - (1 - absence) * ramp(-change, 0, slight) * certainty;
}

const steadyAgreement = (deviation: number, within: number): number =>
  1 - 2 * ramp(deviation, 0.6 * within, 2 * within);

/** Half an argument where it holds: much else holds it too. */
const oneSided = (change: number, within: number): number => 0.5 - 1.5 * ramp(change, 0.5 * within, 2 * within);

function unrestAgreement(ratio: number, absence: number): number {
  if (ratio >= UNREST_RATIO) return 0.5 + 0.5 * ramp(ratio, UNREST_RATIO, HARD_UNREST_RATIO);
  return ratio >= CALM_RATIO ? 0.5 * ramp(ratio, CALM_RATIO, UNREST_RATIO) : -absence * ramp(-ratio, -CALM_RATIO, -1.1);
}

const calmAgreement = (ratio: number): number =>
  1 - ramp(ratio, CALM_RATIO, UNREST_RATIO) - ramp(ratio, UNREST_RATIO, HARD_UNREST_RATIO);

/** A change that is over within one interval of the records cannot be told from a sudden one. @param sign +1 gradual is expected */
function paceAgreement(seen: ChannelSymptoms, { bucketSeconds, buckets }: Symptoms, sign: 1 | -1): number {
  if (Number.isNaN(seen.riseBuckets) || seen.certainty < 0.5 || buckets < 4) return Number.NaN;
  const seconds = seen.riseBuckets * bucketSeconds;
  if (seen.riseBuckets <= 1) return bucketSeconds > 120 ? Number.NaN : -sign;
  return sign * (2 * ramp(seconds, 30, 120) - 1);
}

/** It speaks against what happens at once when it grows over days; the other way round it says nothing. */
function swift(seen: ChannelSymptoms, { lastsSeconds }: Symptoms): Verdict {
  if (!(seen.stillGrowing > GROWS) || seen.certainty < 0.5) return UNTOLD;
  // Two thirds of the window lie between the middles of its first and its last third.
  const seconds = (lastsSeconds * 2) / 3 / seen.stillGrowing;
  const creeping = ramp(seconds, 4 * HOUR, 12 * HOUR);
  return creeping === 0
    ? UNTOLD
    : { agreement: -creeping, words: () => `${labelOf(seen)} has been creeping for ${duration(seconds)}` };
}

function lasting(seconds: number, lastsSeconds: number): Verdict {
  return {
    agreement: 2 * ramp(lastsSeconds, 0.4 * seconds, seconds) - 1,
    words: () => `it has been going on for ${duration(lastsSeconds)}`,
  };
}

function settled(seconds: number, settledSeconds: number): Verdict {
  return {
    agreement: 2 * ramp(settledSeconds, 0.5 * seconds, seconds) - 1,
    words: () => `the pump was last started, or changed its speed, ${duration(settledSeconds)} ago`,
  };
}

/** All downhole channels gone or still together, the surface alive. */
function gaugeLost({ channels, bucketSeconds }: Symptoms): Verdict {
  const downhole = DOWNHOLE.map((name) => channels.get(name)).filter(
    (seen) => seen !== undefined && seen.presence !== 'absent',
  );
  const lost = downhole.filter((seen) => seen?.presence !== 'present');
  const surface = [...channels.values()].filter(
    ({ channel: name, presence }) => !DOWNHOLE.includes(name) && presence !== 'absent',
  );
  const alive = surface.filter(({ presence }) => presence === 'present');
  const words = (): string =>
    `${lost.length} of ${downhole.length} downhole channels ${lostWords(lost)}, ${alive.length} of ${surface.length} surface channels live on`;
  if (lost.length === 0 || downhole.length === 0) return { agreement: -1, words };
  if (alive.length === 0) return { agreement: bucketSeconds > 0 ? -0.5 : -1, words };
  const share = lost.length / downhole.length;
  // A single channel is rather a sensor.
  return { agreement: share < 1 ? 2 * ramp(share, 0.5, 1.2) - 1 : downhole.length === 1 ? 0.35 : 1, words };
}

function lostWords(lost: readonly (ChannelSymptoms | undefined)[]): string {
  const gone = lost.filter((seen) => seen?.presence === 'gone').length;
  if (gone === lost.length) return 'have vanished';
  return gone === 0 ? 'stand still' : 'have vanished or stand still';
}

/** A reading that stands still or is gone while others of the same place live on. */
function oneStill({ channels }: Symptoms): Verdict {
  const known = [...channels.values()].filter(({ presence }) => presence !== 'absent');
  const still = known.filter(({ presence }) => presence === 'still' || presence === 'gone');
  const downhole = known.filter(({ channel: name }) => DOWNHOLE.includes(name));
  const alive = known.length - still.length;
  const words = (): string =>
    still.length === 0
      ? 'every channel moves as it did before'
      : `${still.map((seen) => `${labelOf(seen)} ${seen.presence === 'gone' ? 'has vanished' : `stands at ${figure(seen)}`}`).join(', ')}; ${alive} other channels move`;
  if (still.length === 0 || alive === 0) return { agreement: -1, words };
  const wholeGauge = downhole.length > 1 && downhole.every(({ presence }) => presence !== 'present');
  if (wholeGauge) return { agreement: -0.5, words };
  const isFrozen = still.some(({ presence }) => presence === 'still');
  return { agreement: (isFrozen ? 1 : 0.6) - 0.15 * (still.length - 1), words };
}

function changeWords(seen: ChannelSymptoms): string {
  const { before, now, change } = seen;
  const from = `from ${figure({ ...seen, now: before })} to ${figure(seen)}`;
  if (Math.abs(change) < 0.005) return `${labelOf(seen)} is where it was (${figure(seen)})`;
  const verb = change > 0 ? 'rose' : 'fell';
  const isTemperature = channel(seen.channel).quantity === 'temperature';
  if (isTemperature || !(Math.abs(before) > 1e-9)) return `${labelOf(seen)} ${verb} ${from}`;
  return `${labelOf(seen)} ${verb} by ${percent(Math.abs(now - before) / Math.abs(before))} (${from})`;
}

function unrestWords(seen: ChannelSymptoms): string {
  const times = Number.isNaN(seen.unrest) ? '' : ` (${seen.unrest.toFixed(1)} × before)`;
  return `${labelOf(seen)} ${seen.unrest >= CALM_RATIO ? 'fluctuates' : 'does not fluctuate'}${times}`;
}

function paceWords(seen: ChannelSymptoms, { bucketSeconds }: Symptoms): string {
  return seen.riseBuckets <= 1
    ? `${labelOf(seen)} changed at once`
    : `${labelOf(seen)} changed over ${duration(2 * seen.riseBuckets * bucketSeconds)}`;
}

const shareWords = (seen: ChannelSymptoms): string =>
  `${labelOf(seen)} is at ${percent(seen.now / seen.before)} of what it was (${figure(seen)})`;

const labelOf = ({ channel: name }: ChannelSymptoms): string => channel(name).label.toLowerCase();
const percent = (share: number): string => `${Math.round(share * 100)} %`;

function figure({ channel: name, now }: ChannelSymptoms): string {
  const { unit } = channel(name);
  const digits = Math.abs(now) >= 100 ? 0 : Math.abs(now) >= 1 ? 1 : 3;
  return `${now.toFixed(digits)} ${unit === 'C' ? '°C' : unit}`;
}

/** `90 s`, `12 min`, `5 h`, `3 days`. */
export function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}
