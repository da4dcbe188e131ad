/**
 * The rules that look back: rate of change, frozen values, gauge loss. One pass over the channels of a record compares them with
 * the device's records before it; what the rules know lives in `ReadingMemory`, and each rule is a file of its own.
 *
 * A record that is as most are costs a few comparisons a channel and no call. Records of a device come in time order, one with
 * the time of the last at most (reports of one instant); a channel that such a report repeats is no news.
 */
import { causeOf, RuleCause } from '../../telemetry/anomaly-cause.js';
import { CHANNEL_COUNT } from '../../telemetry/channels.js';
import { OperatingState } from '../../telemetry/operating-state.js';
import { QualityFlag } from '../../telemetry/quality-flags.js';
import type { ReadingBatch } from '../../telemetry/reading-batch.js';
import type { RuleProfile } from '../../telemetry/rule-profile.js';
import { FrozenValue } from './frozen-value.js';
import { GaugeLoss } from './gauge-loss.js';
import { RateOfChange } from './rate-of-change.js';
import {
  FROZEN,
  MASKS,
  PRESENT,
  PROVEN,
  ReadingMemory,
  RESTING,
  SEEN_US,
  STANDING,
  STILL,
  SUSPECT,
  TIMES,
} from './reading-memory.js';
import { RuleProfiles } from './rule-settings.js';

const UNLIMITED = new Float64Array(CHANNEL_COUNT).fill(Number.POSITIVE_INFINITY);

export class ReadingWatch {
  /** What was found in the record taken last: quality flags, and the cause (−1: none). */
  flags = 0;
  cause = -1;
  /** Channels of the device that are frozen, whether the record has them or not; bit = catalogue position. */
  frozen = 0;
  readonly #memory = new ReadingMemory();
  readonly #profiles = new RuleProfiles();
  readonly #rate = new RateOfChange(this.#memory);
  readonly #frozen = new FrozenValue(this.#memory);
  readonly #gauge = new GaugeLoss(this.#memory);
  /** Of the record at hand, by channel: what stood before a value that has to be looked at more closely. */
  readonly #before = new Float32Array(CHANNEL_COUNT);
  #tooFast = 0;

  reserve(deviceCount: number): void {
    this.#memory.reserve(deviceCount);
  }

  setProfile(device: number, profile: RuleProfile | undefined): void {
    this.#profiles.set(device, profile);
  }

  /**
   * Takes row `row`, whose operating state is known. @returns mask of the channels that it has
   *
   * The loop is what every record goes through: it makes no call, so that the processor has the arrays at hand.
   */
  take(batch: ReadingBatch, row: number, device: number): number {
    const state = batch.operatingState[row] as OperatingState;
    const { values } = batch;
    const base = row * CHANNEL_COUNT;
    this.flags = 0;
    this.cause = -1;
    this.frozen = 0;
    if (state === OperatingState.off) {
      this.#memory.rest(device);
      return presentChannels(values, base);
    }
    const { masks, times, last: lasts } = this.#memory;
    const at = device * MASKS;
    const first = device * CHANNEL_COUNT;
    const timestampUs = batch.timestampUs[row] as number;
    const seenUs = times[device * TIMES + SEEN_US] as number;
    const presentBefore = masks[at + PRESENT] as number;
    // What a second report of an instant repeats is no news.
    const known = timestampUs === seenUs ? presentBefore : 0;
    const settings = this.#profiles.of(device);
    const isMuted = state === OperatingState.starting || state === OperatingState.transient;
    const limits = isMuted ? UNLIMITED : settings.limits;
    if (isMuted) masks[at + SUSPECT] = 0;
    const special = isMuted
      ? 0
      : (masks[at + SUSPECT] as number) | (settings.watched & ~(masks[at + PROVEN] as number));
    let present = 0;
    let equal = 0;
    let closer = 0;
    for (let index = 0, bit = 1; index < limits.length; index++, bit <<= 1) {
      const value = values[base + index] as number;
      if (Number.isNaN(value)) continue;
      present |= bit;
      if ((known & bit) !== 0) continue;
      const last = lasts[first + index] as number;
      lasts[first + index] = value;
      if (value === last) equal |= bit;
      if (Math.abs(value - last) <= (limits[index] as number) && (special & bit) === 0) continue;
      this.#before[index] = last;
      closer |= bit;
    }
    const news = present & ~known;
    const changed = news & ~equal;
    if (closer !== 0 || known !== 0 || presentBefore !== present) this.#compare(batch, row, device, present, closer);
    masks[at + PRESENT] = known | present;
    masks[at + RESTING] = 0;
    times[device * TIMES + SEEN_US] = timestampUs;
    const ended = (masks[at + STANDING] as number) & changed;
    if ((equal | ended) !== 0) this.#frozen.count(device, equal, ended, values, base, settings.frozenRuns);
    masks[at + STILL] = ((masks[at + STILL] as number) & ~changed) | equal;
    const isLost =
      this.#gauge.isUnsettled(device, changed) &&
      this.#gauge.take(device, timestampUs, state, news, changed, values, base);
    this.frozen = masks[at + FROZEN] as number;
    const frozen = this.frozen & present;
    if ((this.#tooFast | frozen) !== 0 || isLost) this.#conclude(frozen, isLost);
    return present;
  }

  /**
   * A record that is not as the last one was: it has other channels, or values far away, after a suspect one, the first ones, or
   * of channels that are not known to be lively.
   */
  #compare(batch: ReadingBatch, row: number, device: number, present: number, closer: number): void {
    const { masks, times, lastUs } = this.#memory;
    const timestampUs = batch.timestampUs[row] as number;
    const seenUs = times[device * TIMES + SEEN_US] as number;
    const before = masks[device * MASKS + PRESENT] as number;
    const isSameInstant = timestampUs === seenUs;
    if (!isSameInstant) this.#memory.noteLeft(device, before & ~present, seenUs);
    const state = batch.operatingState[row] as OperatingState;
    if (closer === 0 || state === OperatingState.starting || state === OperatingState.transient) return;
    const settings = this.#profiles.of(device);
    for (let rest = closer; rest !== 0; rest &= rest - 1) {
      const index = lowest(rest);
      const bit = 1 << index;
      const value = batch.values[row * CHANNEL_COUNT + index] as number;
      const last = this.#before[index] as number;
      if (Number.isNaN(last)) continue;
      const isContinuing = !isSameInstant && (before & bit) !== 0;
      const beforeUs = isContinuing ? seenUs : (lastUs[device * CHANNEL_COUNT + index] as number);
      const limit = settings.limits[index] as number;
      if (this.#rate.isTooFast(device, index, timestampUs, value, last, beforeUs, limit)) this.#tooFast |= bit;
      if (value !== last && (settings.watched & bit) !== 0) this.#frozen.learn(device, index, value, last);
    }
  }

  /** A gauge that is lost explains what its channels show, and a spike is told of before what only stands. */
  #conclude(standing: number, isLost: boolean): void {
    const tooFast = this.#tooFast;
    this.#tooFast = 0;
    if (standing !== 0) {
      this.flags |= QualityFlag.frozenReading;
      this.cause = causeOf(RuleCause.frozen, lowest(standing));
    }
    if (tooFast !== 0) {
      this.flags |= QualityFlag.rateOfChange;
      this.cause = causeOf(RuleCause.rateOfChange, lowest(tooFast));
    }
    if (!isLost) return;
    this.flags |= QualityFlag.gaugeLoss;
    this.cause = RuleCause.gaugeLoss;
  }

  snapshot(device: number): string | undefined {
    return this.#memory.snapshot(device);
  }

  restore(device: number, saved: string | undefined): void {
    this.#memory.restore(device, saved);
  }

  forget(device: number): void {
    this.#memory.forget(device);
  }
}

/** Mask of the channels of a row. */
export function presentChannels(values: Float32Array, base: number): number {
  let present = 0;
  for (let index = 0; index < CHANNEL_COUNT; index++) if (!Number.isNaN(values[base + index])) present |= 1 << index;
  return present;
}

const lowest = (mask: number): number => 31 - Math.clz32(mask & -mask);
