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
  /** Mask of the channels that are frozen, and left out. */
  frozen: number;
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
/** A shift has to be larger than the step in which a channel is reported, by this factor. */
const STEPS = 1.5;
/** The smallest step seen is forgotten slowly, per value that differs. */
const STEP_GROWTH = 1.001;
const MOST_RECORDS = 1e9;

const INTAKE = channel('intake_pressure').index;

export class ChannelMeter {
  /**
   * The scores of the record, 1 being the threshold: the fourth root of the sum of the fourth powers of the scores of its channels, so
   * that one channel counts for what it is, and several that move together for more. And the channel that is furthest
   * away; −1: none.
   */
  fastScore = 0;
  mediumScore = 0;
  score = 0;
  cause = -1;
  /** By catalogue position; 0 where a channel is not judged. */
  readonly scores = new Float64Array(CHANNEL_COUNT);
  readonly #parameters: LevelShiftParameters;
  readonly #state: S.LevelShiftState;
  readonly #gains: G.GainTable;
  /** Of the channel measured last: where it stands in the gain table, and for how much time. */
  #gain = 0;
  #gainUs = -1;
  /** The highest score of a single channel. */
  #highest = 0;

  constructor(parameters: LevelShiftParameters, state: S.LevelShiftState) {
    this.#parameters = parameters;
    this.#state = state;
    this.#gains = new G.GainTable(parameters);
  }

  /** Measures the record whose values begin at `base`. */
  measure(values: Float32Array, base: number, device: number, context: MeterContext): void {
    this.fastScore = this.mediumScore = this.score = 0;
    this.cause = -1;
    this.#highest = 0;
    this.#gainUs = -1;
    const { weight } = context.settings;
    for (let index = 0; index < CHANNEL_COUNT; index++) {
      this.scores[index] = 0;
      if (weight[index] !== 0) this.#measureChannel(index, values[base + index] as number, device, context);
    }
    this.fastScore = Math.sqrt(Math.sqrt(this.fastScore));
    this.mediumScore = Math.sqrt(Math.sqrt(this.mediumScore));
    this.score = Math.max(this.fastScore, this.mediumScore);
  }

  /**
   * One long body on purpose, and the loop around it elsewhere: calling a function for each step took a third of the time, since the
   * compiler puts only so much together; and Node 20 may leave a long body that has the loop uncompiled for good, when it
   * has to give its assumptions up while it replaces the running loop. What is rare stands in functions of its own.
   */
  #measureChannel(index: number, raw: number, device: number, context: MeterContext): void {
    const { levels, counts, status } = this.#state;
    const at = (device * CHANNEL_COUNT + index) * S.LEVELS;
    const countAt = (device * CHANNEL_COUNT + index) * S.COUNTS;
    const isThere = raw === raw;
    const isFrozen = (context.frozen & (1 << index)) !== 0;
    let count = counts[countAt + S.COUNT] as number;
    if (count === 0) {
      if (isThere) this.#begin(device, index, raw, context);
      return;
    }
    const { settings, timestampUs, speedRatio, learning } = context;
    const sinceUs = timestampUs - (levels[at + S.LAST_US] as number);
    if (isThere ? sinceUs === 0 : sinceUs > context.holdUs) return;
    if (sinceUs !== this.#gainUs) this.#chooseGains(sinceUs, context.octave);
    const gains = this.#gains.values;
    const gain = this.#gain;
    const spikesAt = device * S.STATUS + S.SPIKES;
    const { fastLeastShift, mediumLeastShift, coarsestStep } = settings;
    const parameters = this.#parameters;
    const bit = 1 << index;
    const slow = levels[at + S.SLOW] as number;
    let fast = levels[at + S.FAST] as number;
    let medium = levels[at + S.MEDIUM] as number;
    let noise = levels[at + S.NOISE] as number;
    let taken = raw;

    // The two means follow the value.
    if (isThere && count < MOST_RECORDS) count++;
    const first = 1 / count;
    if (isThere) {
      counts[countAt + S.COUNT] = count;
      levels[at + S.LAST_US] = timestampUs;
      const last = levels[at + S.LAST] as number;
      if (isFrozen) return;
      if (raw !== last) levels[at + S.STEP] = leastStep(levels[at + S.STEP] as number, Math.abs(raw - last));
      if (speedRatio !== 1) taken = this.#comparable(device, index, raw, speedRatio);
      const spikes = status[spikesAt] as number;
      const least = SPIKE_NOISES * noise + (fastLeastShift[index] as number) * Math.abs(slow);
      const distance = Math.abs(taken - fast);
      if (distance > least && count > SPIKE_RECORDS && (spikes & bit) === 0) {
        // A first value far away: the fast mean stands in for it.
        status[spikesAt] = spikes | bit;
        taken = fast;
      } else {
        if ((spikes & bit) !== 0) status[spikesAt] = spikes & ~bit;
        if (learning >= Learning.noise) {
          const scale = speedRatio === 1 || raw === 0 ? 1 : Math.abs(taken / raw);
          const difference = Math.abs(raw - last) * scale * NOISE_OF_DIFFERENCE;
          noise += Math.max(gains[gain + G.SCALE] as number, first) * (difference - noise);
          levels[at + S.NOISE] = noise;
        }
        levels[at + S.LAST] = raw;
      }
      levels[at + S.TAKEN] = taken;
      fast += Math.max(gains[gain + G.FAST] as number, first) * (taken - fast);
      medium += Math.max(gains[gain + G.MEDIUM] as number, first) * (taken - medium);
      levels[at + S.FAST] = fast;
      levels[at + S.MEDIUM] = medium;
    }
    if (learning === Learning.follow || isFrozen) return;

    // How far they are from the slow one, 1 being the threshold.
    const fastNoise = noise * (gains[gain + G.FAST_NOISE] as number);
    const mediumNoise = noise * (gains[gain + G.MEDIUM_NOISE] as number);
    const fastDistance = Math.abs(fast - slow);
    const mediumDistance = Math.abs(medium - slow);
    let score = 0;
    if (count >= JUDGED_RECORDS) {
      const level = Math.abs(slow);
      const least = Math.max(STEPS * Math.min(levels[at + S.STEP] as number, coarsestStep[index] as number), TINY);
      const fastUsual = parameters.fastThreshold * Math.max(levels[at + S.FAST_SCALE] as number, fastNoise);
      const mediumUsual = parameters.mediumThreshold * Math.max(levels[at + S.MEDIUM_SCALE] as number, mediumNoise);
      const fastLimit = Math.max(fastUsual, (fastLeastShift[index] as number) * level, least);
      const mediumLimit = Math.max(mediumUsual, (mediumLeastShift[index] as number) * level, least);
      const fastScore = ((settings.weight[index] as number) * fastDistance) / fastLimit;
      const mediumScore = ((settings.weight[index] as number) * mediumDistance) / mediumLimit;
      score = Math.max(fastScore, mediumScore);
      this.scores[index] = score;
      this.fastScore += fastScore * fastScore * (fastScore * fastScore);
      this.mediumScore += mediumScore * mediumScore * (mediumScore * mediumScore);
      if (score > this.#highest) {
        this.#highest = score;
        this.cause = index;
      }
    }
    if (!isThere || learning !== Learning.all) return;

    // The slow one follows, and the scales the distances; both carefully where the record is suspect.
    const isSuspect = context.isGuarded && score > parameters.suspectScore;
    const slowGain = Math.max(gains[gain + G.SLOW] as number, Math.min(1, LEVEL_PACE * first));
    levels[at + S.SLOW] = slow + (isSuspect ? parameters.suspectLearning * slowGain : slowGain) * (taken - slow);
    let up = gains[gain + (isSuspect ? G.SCALE_UP_SUSPECT : G.SCALE_UP)] as number;
    let down = gains[gain + G.SCALE_DOWN] as number;
    if (first > (gains[gain + G.SCALE] as number)) {
      up = Math.exp(G.QUANTILE_PACE * parameters.scaleQuantile * first);
      down = Math.exp(-G.QUANTILE_PACE * (1 - parameters.scaleQuantile) * first);
    }
    levels[at + S.FAST_SCALE] = tracked(levels[at + S.FAST_SCALE] as number, fastDistance, fastNoise, up, down);
    levels[at + S.MEDIUM_SCALE] = tracked(levels[at + S.MEDIUM_SCALE] as number, mediumDistance, mediumNoise, up, down);
  }

  /** Channels mostly report together, and then look their gains up once. */
  #chooseGains(sinceUs: number, octave: number): void {
    this.#gain = this.#gains.find(Math.round(sinceUs / 1000), octave);
    this.#gainUs = sinceUs;
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

  /** The value at the speed that all are compared at. */
  #comparable(device: number, index: number, value: number, ratio: number): number {
    if (ratio === 1) return value;
    const intake = this.#state.levels[(device * CHANNEL_COUNT + INTAKE) * S.LEVELS + S.FAST] as number;
    return atReferenceSpeed(index, value, ratio, intake);
  }
}

/** The smallest step between two values, which is forgotten slowly; 0: none was seen yet. */
function leastStep(known: number, step: number): number {
  const least = known * STEP_GROWTH;
  return least === 0 || step < least ? step : least;
}

/** Tracks a quantile of the distance multiplicatively, not below what the noise alone amounts to. */
function tracked(scale: number, distance: number, noise: number, up: number, down: number): number {
  const next = scale === 0 ? noise : scale * (distance > scale ? up : down);
  return Math.max(next, LEAST_SCALE_SHARE * noise, TINY);
}
