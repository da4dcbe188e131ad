/**
 * Measures how far the channels of a record are from their level, and learns from them: the arithmetic of the level-shift
 * detector. The results of the last record stand in the fields of the meter.
 */
import { CHANNEL_COUNT, channel } from '../../telemetry/channels.js';
import { atReferenceSpeed } from './affinity.js';
import * as G from './gain-table.js';
import type { LevelShiftParameters } from './level-shift-parameters.js';
import type { ChannelSettings } from './level-shift-profiles.js';
import * as S from './level-shift-state.js';

/** What a record may teach: where the values are; then also how far away that is; how noisy they are; all there is. */
export const Learning = { follow: 0, measure: 1, noise: 2, all: 3 } as const;
export type Learning = (typeof Learning)[keyof typeof Learning];

/** What the detector knows of a record besides its values. */
export interface MeterContext {
  settings: ChannelSettings;
  timestampUs: number;
  /** Reference speed ÷ speed. */
  speedRatio: number;
  learning: Learning;
  /** Whether a suspect record teaches less: not while everything is new. */
  isGuarded: boolean;
  /** Octave of the usual interval. */
  octave: number;
  /** Until when the last score of a channel stands while its values are missing. */
  holdUs: number;
}

/** A single value so many times the noise away is set aside; if the next one is there too, it is no spike. */
const SPIKE_NOISES = 8;
const SPIKE_RECORDS = 50;
/** Values a channel needs before it is judged. */
const JUDGED_RECORDS = 30;
/** Mean |difference of successive values| × this is the standard deviation of white noise. */
const NOISE_OF_DIFFERENCE = 0.886;
/** The scale never falls below this share of what the noise alone makes of a mean. */
const LEAST_SCALE_SHARE = 0.2;
const TINY = 1e-9;
/** While it is young, the level forgets its first values as if each value counted for so many: a recording may begin with a start. */
const LEVEL_PACE = 3;
/** So many equal values in a row are a frozen channel, where so many times fewer are usual. */
const FROZEN_RUN = 120;
const FROZEN_USUAL_RUNS = 20;
const RUN_GAIN = 0.05;
/** A shift has to be larger than the step in which a channel is reported, by this factor. */
const STEPS = 1.5;
/** The smallest step seen is forgotten slowly, per value that differs. */
const STEP_GROWTH = 1.001;
const MOST_RECORDS = 1e9;

const INTAKE = channel('intake_pressure').index;

export class ChannelMeter {
  /** The highest scores of the record, 1 being the threshold, and the channel that the highest belongs to; −1: none. */
  fastScore = 0;
  mediumScore = 0;
  score = 0;
  cause = -1;
  /** By catalogue position; 0 where a channel is not judged. */
  readonly scores = new Float64Array(CHANNEL_COUNT);
  readonly #parameters: LevelShiftParameters;
  readonly #state: S.LevelShiftState;
  readonly #gains: G.GainTable;
  /** Of the channel measured last: where it stands in the gain table, and for which step. */
  #gain = 0;
  #gainStepMs = -1;

  constructor(parameters: LevelShiftParameters, state: S.LevelShiftState) {
    this.#parameters = parameters;
    this.#state = state;
    this.#gains = new G.GainTable(parameters);
  }

  /** Measures the record whose values begin at `base`. */
  measure(values: Float32Array, base: number, device: number, context: MeterContext): void {
    this.fastScore = this.mediumScore = this.score = 0;
    this.cause = -1;
    this.#gainStepMs = -1;
    const { weight } = context.settings;
    const { counts, levels, status } = this.#state;
    const first = device * CHANNEL_COUNT;
    const frozenAt = device * S.STATUS + S.FROZEN;
    for (let index = 0; index < CHANNEL_COUNT; index++) {
      this.scores[index] = 0;
      if (weight[index] === 0) continue;
      const value = values[base + index] as number;
      const count = counts[(first + index) * S.COUNTS + S.COUNT] as number;
      const sinceUs = context.timestampUs - (levels[(first + index) * S.LEVELS + S.LAST_US] as number);
      if (count === 0) {
        if (value === value) this.#begin(device, index, value, context);
        continue;
      }
      if (value === value ? sinceUs === 0 : sinceUs > context.holdUs) continue;
      this.#chooseGains(Math.round(sinceUs / 1000), context.octave);
      const at = (first + index) * S.LEVELS;
      const countAt = (first + index) * S.COUNTS;
      if (value === value && !this.#take(device, index, at, countAt, value, context)) continue;
      if (context.learning === Learning.follow || ((status[frozenAt] as number) & (1 << index)) !== 0) continue;
      if ((counts[countAt + S.COUNT] as number) >= JUDGED_RECORDS) this.#score(index, at, context.settings);
      if (value === value && context.learning === Learning.all) this.#learn(index, at, countAt, context.isGuarded);
    }
  }

  /** Channels mostly report together, and then look their gains up once. */
  #chooseGains(stepMs: number, octave: number): void {
    if (stepMs === this.#gainStepMs) return;
    this.#gain = this.#gains.find(stepMs, octave);
    this.#gainStepMs = stepMs;
  }

  #begin(device: number, index: number, raw: number, context: MeterContext): void {
    const { levels, counts } = this.#state;
    const at = (device * CHANNEL_COUNT + index) * S.LEVELS;
    const value = this.#comparable(device, index, raw, context.speedRatio);
    levels[at + S.FAST] = levels[at + S.MEDIUM] = levels[at + S.SLOW] = levels[at + S.TAKEN] = value;
    levels[at + S.LAST] = raw;
    levels[at + S.LAST_US] = context.timestampUs;
    counts[(device * CHANNEL_COUNT + index) * S.COUNTS + S.COUNT] = 1;
  }

  /** The two means follow the value. @returns false where the channel is frozen */
  #take(device: number, index: number, at: number, countAt: number, raw: number, context: MeterContext): boolean {
    const { levels, counts } = this.#state;
    const count = Math.min((counts[countAt + S.COUNT] as number) + 1, MOST_RECORDS);
    counts[countAt + S.COUNT] = count;
    levels[at + S.LAST_US] = context.timestampUs;
    const last = levels[at + S.LAST] as number;
    // Most values differ from the last one, and did so before: then there is little to note.
    if (raw !== last && counts[countAt + S.RUN] === 0 && levels[at + S.USUAL_RUN] === 1) this.#noteStep(at, raw, last);
    else if (this.#isFrozen(device, index, at, countAt, raw)) return false;
    const value = this.#comparable(device, index, raw, context.speedRatio);
    const taken = this.#setAsideSpike(device, index, at, count, raw, value, context);
    levels[at + S.TAKEN] = taken;
    const gains = this.#gains.values;
    const fast = levels[at + S.FAST] as number;
    const medium = levels[at + S.MEDIUM] as number;
    levels[at + S.FAST] = fast + Math.max(gains[this.#gain + G.FAST] as number, 1 / count) * (taken - fast);
    levels[at + S.MEDIUM] = medium + Math.max(gains[this.#gain + G.MEDIUM] as number, 1 / count) * (taken - medium);
    return true;
  }

  /** The value at the speed that all are compared at. */
  #comparable(device: number, index: number, value: number, ratio: number): number {
    if (ratio === 1) return value;
    const intake = this.#state.levels[(device * CHANNEL_COUNT + INTAKE) * S.LEVELS + S.FAST] as number;
    return atReferenceSpeed(index, value, ratio, intake);
  }

  /** Counts equal values, and notes the step between those that differ. */
  #isFrozen(device: number, index: number, at: number, countAt: number, raw: number): boolean {
    const { levels, counts, status } = this.#state;
    const runAt = countAt + S.RUN;
    const bit = 1 << index;
    const frozenAt = device * S.STATUS + S.FROZEN;
    const run = (counts[runAt] as number) + 1;
    if (raw === levels[at + S.LAST]) {
      counts[runAt] = run < MOST_RECORDS ? run : MOST_RECORDS;
      const usual = levels[at + S.USUAL_RUN] as number;
      if (run < FROZEN_RUN || usual === 0 || run < FROZEN_USUAL_RUNS * usual) return false;
      status[frozenAt] = (status[frozenAt] as number) | bit;
      return true;
    }
    const usual = levels[at + S.USUAL_RUN] as number;
    // What a frozen channel has done is not its habit.
    if (((status[frozenAt] as number) & bit) === 0)
      levels[at + S.USUAL_RUN] = usual === 0 ? run : usual + RUN_GAIN * (run - usual);
    status[frozenAt] = (status[frozenAt] as number) & ~bit;
    counts[runAt] = 0;
    this.#noteStep(at, raw, levels[at + S.LAST] as number);
    return false;
  }

  #noteStep(at: number, raw: number, last: number): void {
    const { levels } = this.#state;
    const step = Math.abs(raw - last);
    const least = (levels[at + S.STEP] as number) * STEP_GROWTH;
    levels[at + S.STEP] = least === 0 || step < least ? step : least;
  }

  /** The value that the means take: the fast mean itself in place of a first value far away. Learns the noise. */
  #setAsideSpike(
    device: number,
    index: number,
    at: number,
    count: number,
    raw: number,
    value: number,
    context: MeterContext,
  ): number {
    const { levels, status } = this.#state;
    const spikesAt = device * S.STATUS + S.SPIKES;
    const bit = 1 << index;
    const spikes = status[spikesAt] as number;
    const fast = levels[at + S.FAST] as number;
    const noise = levels[at + S.NOISE] as number;
    if (count > SPIKE_RECORDS && (spikes & bit) === 0) {
      const least = (context.settings.fastLeastShift[index] as number) * Math.abs(levels[at + S.SLOW] as number);
      if (Math.abs(value - fast) > SPIKE_NOISES * noise + least) {
        status[spikesAt] = spikes | bit;
        return fast;
      }
    }
    if ((spikes & bit) !== 0) status[spikesAt] = spikes & ~bit;
    if (context.learning >= Learning.noise) {
      const gain = Math.max(this.#gains.values[this.#gain + G.SCALE] as number, 1 / count);
      const scale = context.speedRatio === 1 || raw === 0 ? 1 : Math.abs(value / raw);
      const difference = Math.abs(raw - (levels[at + S.LAST] as number)) * scale;
      levels[at + S.NOISE] = noise + gain * (difference * NOISE_OF_DIFFERENCE - noise);
    }
    levels[at + S.LAST] = raw;
    return value;
  }

  /** How far the means are from the slow one, 1 being the threshold. */
  #score(index: number, at: number, settings: ChannelSettings): void {
    const { levels } = this.#state;
    const gains = this.#gains.values;
    const noise = levels[at + S.NOISE] as number;
    const slow = levels[at + S.SLOW] as number;
    const level = Math.abs(slow);
    const step = STEPS * Math.min(levels[at + S.STEP] as number, settings.coarsestStep[index] as number);
    const fastUsual = Math.max(
      levels[at + S.FAST_SCALE] as number,
      noise * (gains[this.#gain + G.FAST_NOISE] as number),
    );
    const mediumUsual = Math.max(
      levels[at + S.MEDIUM_SCALE] as number,
      noise * (gains[this.#gain + G.MEDIUM_NOISE] as number),
    );
    const fastLimit = Math.max(
      this.#parameters.fastThreshold * fastUsual,
      (settings.fastLeastShift[index] as number) * level,
      step,
      TINY,
    );
    const mediumLimit = Math.max(
      this.#parameters.mediumThreshold * mediumUsual,
      (settings.mediumLeastShift[index] as number) * level,
      step,
      TINY,
    );
    const weight = settings.weight[index] as number;
    const fastScore = (weight * Math.abs((levels[at + S.FAST] as number) - slow)) / fastLimit;
    const mediumScore = (weight * Math.abs((levels[at + S.MEDIUM] as number) - slow)) / mediumLimit;
    const score = Math.max(fastScore, mediumScore);
    this.scores[index] = score;
    if (fastScore > this.fastScore) this.fastScore = fastScore;
    if (mediumScore > this.mediumScore) this.mediumScore = mediumScore;
    if (score <= this.score) return;
    this.score = score;
    this.cause = index;
  }

  /** The slow mean follows the value, and the scales the distances from it; both carefully where the record is suspect. */
  #learn(index: number, at: number, countAt: number, isGuarded: boolean): void {
    const { levels, counts } = this.#state;
    const first = 1 / (counts[countAt + S.COUNT] as number);
    const gains = this.#gains.values;
    const isSuspect = isGuarded && (this.scores[index] as number) > this.#parameters.suspectScore;
    const share = isSuspect ? this.#parameters.suspectLearning : 1;
    const slow = levels[at + S.SLOW] as number;
    const fastDistance = Math.abs((levels[at + S.FAST] as number) - slow);
    const mediumDistance = Math.abs((levels[at + S.MEDIUM] as number) - slow);
    const gain = share * Math.max(gains[this.#gain + G.SLOW] as number, Math.min(1, LEVEL_PACE * first));
    levels[at + S.SLOW] = slow + gain * ((levels[at + S.TAKEN] as number) - slow);
    let up = gains[this.#gain + (isSuspect ? G.SCALE_UP_SUSPECT : G.SCALE_UP)] as number;
    let down = gains[this.#gain + G.SCALE_DOWN] as number;
    if (first > (gains[this.#gain + G.SCALE] as number)) {
      const { scaleQuantile } = this.#parameters;
      up = Math.exp(G.QUANTILE_PACE * first * scaleQuantile);
      down = Math.exp(-G.QUANTILE_PACE * first * (1 - scaleQuantile));
    }
    const noise = levels[at + S.NOISE] as number;
    this.#scale(at + S.FAST_SCALE, fastDistance, noise * (gains[this.#gain + G.FAST_NOISE] as number), up, down);
    this.#scale(at + S.MEDIUM_SCALE, mediumDistance, noise * (gains[this.#gain + G.MEDIUM_NOISE] as number), up, down);
  }

  /** Tracks a quantile of the distance multiplicatively, not below what the noise alone amounts to. */
  #scale(at: number, distance: number, noise: number, up: number, down: number): void {
    const { levels } = this.#state;
    const scale = levels[at] as number;
    const tracked = scale === 0 ? noise : scale * (distance > scale ? up : down);
    levels[at] = Math.max(tracked, LEAST_SCALE_SHARE * noise, TINY);
  }
}
