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
import { RuleProfiles, type RuleSettings } from './rule-settings.js';

const UNLIMITED = new Float64Array(CHANNEL_COUNT).fill(Number.POSITIVE_INFINITY);

export class ReadingWatch {
  /** What was found in the record taken last: quality flags, and the cause (−1: none). */
  flags = 0;
  cause = -1;
  /** Channels of the device that are frozen, bit = catalogue position. */
  frozen = 0;
  readonly #memory = new ReadingMemory();
  readonly #profiles = new RuleProfiles();
  readonly #rate = new RateOfChange(this.#memory);
  readonly #frozen = new FrozenValue(this.#memory);
  readonly #gauge = new GaugeLoss(this.#memory);
  // Of the record at hand: its channels, those that repeat their last value, and those that are news.
  #present = 0;
  #equal = 0;
  #news = 0;
  #timestampUs = 0;
  #seenUs = 0;
  /** Channels that the record before had as well. */
  #continuing = 0;
  #tooFast = 0;

  reserve(deviceCount: number): void {
    this.#memory.reserve(deviceCount);
  }

  setProfile(device: number, profile: RuleProfile | undefined): void {
    this.#profiles.set(device, profile);
  }

  /** Takes row `row`, whose operating state is known. @returns mask of the channels that it has */
  take(batch: ReadingBatch, row: number, device: number): number {
    const state = batch.operatingState[row] as OperatingState;
    const base = row * CHANNEL_COUNT;
    this.flags = 0;
    this.cause = -1;
    if (state === OperatingState.off) {
      this.frozen = 0;
      this.#memory.rest(device);
      return presentChannels(batch.values, base);
    }
    const { masks } = this.#memory;
    const at = device * MASKS;
    const isMuted = state === OperatingState.starting || state === OperatingState.transient;
    masks[at + RESTING] = 0;
    if (isMuted) masks[at + SUSPECT] = 0;
    const settings = this.#profiles.of(device);
    const closer = this.#look(device, batch.values, base, batch.timestampUs[row] as number, isMuted, settings);
    if (closer !== 0) this.#lookCloser(device, batch.values, base, closer, isMuted, settings);
    const present = this.#present;
    const equal = this.#equal;
    const changed = this.#news & ~equal;
    const ended = (masks[at + STANDING] as number) & changed;
    if ((equal | ended) !== 0) this.#frozen.count(device, equal, ended, batch.values, base, settings.frozenRuns);
    masks[at + STILL] = ((masks[at + STILL] as number) & ~changed) | equal;
    const frozen = masks[at + FROZEN] as number;
    this.frozen = frozen;
    const isLost =
      this.#gauge.isUnsettled(device, changed) &&
      this.#news !== 0 &&
      this.#gauge.take(device, this.#timestampUs, state, this.#news, changed, batch.values, base);
    if ((this.#tooFast | (frozen & present)) !== 0 || isLost) this.#conclude(frozen & present, isLost);
    return present;
  }

  /**
   * Compares the channels with their last values: the part that every record goes through. There is no call in the loop, so
   * that the processor has the arrays at hand: nobody else may have changed them.
   * @returns the channels that have to be looked at more closely
   */
  #look(
    device: number,
    values: Float32Array,
    base: number,
    timestampUs: number,
    isMuted: boolean,
    settings: RuleSettings,
  ): number {
    const { masks, times, last: lasts } = this.#memory;
    const limits = isMuted ? UNLIMITED : settings.limits;
    const at = device * MASKS;
    const first = device * CHANNEL_COUNT;
    const before = masks[at + PRESENT] as number;
    const seenUs = times[device * TIMES + SEEN_US] as number;
    // What a second report of an instant repeats is no news.
    const known = timestampUs === seenUs ? before : 0;
    let special = masks[at + SUSPECT] as number;
    if (!isMuted) special |= settings.watched & ~(masks[at + PROVEN] as number);
    const aside = special | known;
    let present = 0;
    let equal = 0;
    let closer = 0;
    for (let index = 0, bit = 1; index < limits.length; index++, bit <<= 1) {
      const value = values[base + index] as number;
      if (Number.isNaN(value)) continue;
      present |= bit;
      if ((aside & bit) !== 0) continue;
      const distance = Math.abs(value - (lasts[first + index] as number));
      if (distance <= (limits[index] as number)) {
        lasts[first + index] = value;
        if (distance === 0) equal |= bit;
      } else closer |= bit;
    }
    masks[at + PRESENT] = known | present;
    times[device * TIMES + SEEN_US] = timestampUs;
    this.#present = present;
    this.#equal = equal;
    this.#news = present & ~known;
    this.#timestampUs = timestampUs;
    this.#seenUs = seenUs;
    this.#continuing = known === 0 ? before & present : 0;
    this.#tooFast = 0;
    const left = before & ~present;
    if (left !== 0 && known === 0) this.#memory.noteLeft(device, left, seenUs);
    return closer | (present & special & ~known);
  }

  /** Values far away, after a suspect one, the first ones, and those of channels that are not known to be lively. */
  #lookCloser(
    device: number,
    values: Float32Array,
    base: number,
    channels: number,
    isMuted: boolean,
    settings: RuleSettings,
  ): void {
    const { last: lasts, lastUs } = this.#memory;
    for (let rest = channels; rest !== 0; rest &= rest - 1) {
      const index = lowest(rest);
      const at = device * CHANNEL_COUNT + index;
      const bit = 1 << index;
      const value = values[base + index] as number;
      const last = lasts[at] as number;
      lasts[at] = value;
      if (value === last) this.#equal |= bit;
      if (isMuted || Number.isNaN(last)) continue;
      const beforeUs = (this.#continuing & bit) === 0 ? (lastUs[at] as number) : this.#seenUs;
      const limit = settings.limits[index] as number;
      if (this.#rate.isTooFast(device, index, this.#timestampUs, value, last, beforeUs, limit)) this.#tooFast |= bit;
      if (value !== last && (settings.watched & bit) !== 0) this.#frozen.learn(device, index, value, last);
    }
  }

  /** A gauge that is lost explains what its channels show, and a spike is told of before what only stands. */
  #conclude(standing: number, isLost: boolean): void {
    const tooFast = this.#tooFast;
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
