/**
 * The level-shift detector: per channel a fast and a medium mean are compared with a slow one, in units of their usual
 * distance; the channel that is furthest away is the cause. What is learned is held still while something is wrong, so that an
 * anomaly lasts until the level is back. Method, figures and limits: docs/detection.md.
 *
 * One pass, no allocation, O(1) state a device. What a record does depends on the device's records before it and on nothing
 * else: neither batches nor other devices make a difference.
 */
import { CHANNEL_COUNT } from '../../telemetry/channels.js';
import type { DetectionProfile } from '../../telemetry/detection-profile.js';
import { OperatingState } from '../../telemetry/operating-state.js';
import type { ReadingBatch } from '../../telemetry/reading-batch.js';
import { SpeedSource, speedHz, speedRatio, speedSource } from './affinity.js';
import { AlarmRule } from './alarm-rule.js';
import { ChannelMeter, Learning, type MeterContext } from './channel-meter.js';
import type { Detector, DetectorState } from './detector.js';
import { FormerLevels } from './former-levels.js';
import { octaveOf } from './gain-table.js';
import { configHash, LEVEL_SHIFT_DEFAULTS, type LevelShiftParameters } from './level-shift-parameters.js';
import { LevelShiftProfiles } from './level-shift-profiles.js';
import * as S from './level-shift-state.js';

/** Values that still count once the operating point has changed: the level is learned anew, the scale is kept. */
const RECORDS_AFTER_CHANGE = 40;
/** The usual interval follows at this pace; one step counts for so many usual ones at most. */
const INTERVAL_GAIN = 0.05;
const INTERVAL_STEPS = 4;
/** A step counts for this much at most, or for three usual intervals: silence is no experience. */
const LONGEST_STEP_SECONDS = 30;
const LONGEST_STEP_INTERVALS = 3;
/** Silence is a gap when it is as long as this many usual intervals, too. */
const GAP_INTERVALS = 10;

export class LevelShiftDetector implements Detector {
  readonly name = 'level-shift';
  readonly #parameters: LevelShiftParameters;
  readonly #state: S.LevelShiftState;
  readonly #profiles = new LevelShiftProfiles();
  readonly #meter: ChannelMeter;
  readonly #formerLevels: FormerLevels;
  readonly #alarm: AlarmRule;
  /** Filled for each record: a new object would be one allocation a record. */
  readonly #context: MeterContext;

  constructor(parameters: LevelShiftParameters = LEVEL_SHIFT_DEFAULTS) {
    this.#parameters = parameters;
    this.#state = new S.LevelShiftState(configHash(parameters));
    this.#meter = new ChannelMeter(parameters, this.#state);
    this.#formerLevels = new FormerLevels(parameters, this.#state);
    this.#alarm = new AlarmRule(parameters, this.#state, this.#meter, this.#formerLevels);
    this.#context = {
      settings: this.#profiles.of(0),
      timestampUs: 0,
      speedRatio: 1,
      learning: Learning.all,
      isGuarded: false,
      octave: 0,
      holdUs: 0,
      frozen: 0,
    };
  }

  reserve(deviceCount: number): void {
    this.#state.reserve(deviceCount);
  }

  setProfile(device: number, profile: DetectionProfile | undefined): void {
    this.#profiles.set(device, profile);
  }

  evaluate(batch: ReadingBatch, row: number, device: number, frozen: number): void {
    const { status } = this.#state;
    const at = device * S.STATUS;
    const timestampUs = batch.timestampUs[row] as number;
    const seenUs = status[at + S.SEEN_US] as number;
    const state = batch.operatingState[row] as OperatingState;
    const before = status[at + S.OPERATING_STATE] as OperatingState;
    status[at + S.SEEN_US] = timestampUs;
    status[at + S.OPERATING_STATE] = state;
    if (state === OperatingState.off) {
      this.#alarm.end(device); // a pump that stands is not judged, and teaches nothing
      return;
    }
    const elapsedSeconds = seenUs === 0 ? 0 : (timestampUs - seenUs) / 1e6;
    const stepSeconds = elapsedSeconds === 0 ? 0 : this.#passTime(device, elapsedSeconds);
    const isMuted = state === OperatingState.starting || state === OperatingState.transient;
    if (isMuted) this.#alarm.end(device);
    else if (isOperation(before)) this.#relearn(device, RECORDS_AFTER_CHANGE, true);

    const base = row * CHANNEL_COUNT;
    const context = this.#context;
    context.settings = this.#profiles.of(device);
    context.timestampUs = timestampUs;
    context.speedRatio = this.#speedRatio(batch.values, base, device);
    context.learning = isMuted ? Learning.follow : this.#learning(at);
    context.isGuarded = !((status[at + S.MUTE_SECONDS] as number) > 0) && this.#alarm.isKnown(device);
    const interval = status[at + S.INTERVAL_SECONDS] as number;
    context.octave = octaveOf(interval);
    context.holdUs = Math.max(LONGEST_STEP_SECONDS, LONGEST_STEP_INTERVALS * interval) * 1e6;
    context.frozen = frozen;
    this.#meter.measure(batch.values, base, device, context);
    if (!isMuted) this.#alarm.judge(batch, row, device, stepSeconds);
  }

  #learning(at: number): Learning {
    const { status } = this.#state;
    if (status[at + S.ALARM] === 1) return Learning.measure;
    return (status[at + S.SETTLE_SECONDS] as number) > 0 ? Learning.noise : Learning.all;
  }

  /** Notes that time has passed. @returns the part of it that counts, s */
  #passTime(device: number, elapsedSeconds: number): number {
    const { status } = this.#state;
    const at = device * S.STATUS;
    const interval = status[at + S.INTERVAL_SECONDS] as number;
    const { gapSeconds, gapMuteSeconds, relearnRecords } = this.#parameters;
    if (interval > 0 && elapsedSeconds > Math.max(gapSeconds, GAP_INTERVALS * interval)) {
      this.#alarm.end(device);
      this.#relearn(device, relearnRecords, false);
      status[at + S.MUTE_SECONDS] = gapMuteSeconds;
    }
    status[at + S.INTERVAL_SECONDS] =
      interval === 0
        ? elapsedSeconds
        : interval + INTERVAL_GAIN * (Math.min(elapsedSeconds, INTERVAL_STEPS * interval) - interval);
    const step = Math.min(elapsedSeconds, Math.max(LONGEST_STEP_SECONDS, LONGEST_STEP_INTERVALS * interval));
    status[at + S.KNOWN_SECONDS] = (status[at + S.KNOWN_SECONDS] as number) + step;
    status[at + S.KNOWN_RECORDS] = (status[at + S.KNOWN_RECORDS] as number) + 1;
    return step;
  }

  /**
   * The level may have become another one: it is learned from what comes now. What is usual around it stays.
   * @param isNewLevel whether the fast mean is the level already
   */
  #relearn(device: number, records: number, isNewLevel: boolean): void {
    const { levels, counts } = this.#state;
    for (let index = 0; index < CHANNEL_COUNT; index++) {
      const channel = device * CHANNEL_COUNT + index;
      counts[channel * S.COUNTS + S.COUNT] = Math.min(counts[channel * S.COUNTS + S.COUNT] as number, records);
      if (isNewLevel) this.#formerLevels.forget(device, index);
      else this.#formerLevels.remember(device, index);
      if (!isNewLevel) continue;
      const fast = levels[channel * S.LEVELS + S.FAST] as number;
      // The medium mean is not there yet, and would call the way to the new level a shift.
      levels[channel * S.LEVELS + S.MEDIUM] = levels[channel * S.LEVELS + S.SLOW] = fast;
    }
  }

  /** Reference speed ÷ last known speed. Values from before the first speed was known compare with nothing. */
  #speedRatio(values: Float32Array, base: number, device: number): number {
    const { status } = this.#state;
    const at = device * S.STATUS;
    const known = status[at + S.SPEED_SOURCE] as number;
    const source = speedSource(values, base);
    if (source > known) {
      status[at + S.SPEED_SOURCE] = source;
      if ((status[at + S.KNOWN_RECORDS] as number) > 0) {
        this.#relearn(device, RECORDS_AFTER_CHANGE, false);
        status[at + S.MUTE_SECONDS] = this.#parameters.gapMuteSeconds;
      }
    }
    if (source !== SpeedSource.none && source >= known) status[at + S.SPEED_HZ] = speedHz(values, base, source);
    return speedRatio(status[at + S.SPEED_HZ] as number);
  }

  snapshot(device: number): DetectorState | undefined {
    return this.#state.snapshot(device);
  }

  restore(device: number, state: DetectorState): void {
    this.#state.restore(device, state);
  }

  forget(device: number): void {
    this.#state.forget(device);
  }
}

/** Whether what the pump did was operation, and the level afterwards may be another one. */
function isOperation(state: OperatingState): boolean {
  return state === OperatingState.off || state === OperatingState.starting || state === OperatingState.transient;
}
