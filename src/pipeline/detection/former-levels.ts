/**
 * The level that a channel had before its present one. When an anomaly lasts or a recording pauses, what comes then becomes the
 * level; when it passes, the pump goes back to where it was before, and that is no second anomaly.
 */
import { CHANNEL_COUNT } from '../../telemetry/channels.js';
import type { LevelShiftParameters } from './level-shift-parameters.js';
import * as S from './level-shift-state.js';

/** On its way back a channel may come to this many times the distance: the level in between was learned while it changed. */
const RETURN_REACH = 2;
/** What is left of the way is then no more than this share. */
const BACK_SHARE = 0.5;

export class FormerLevels {
  readonly #parameters: LevelShiftParameters;
  readonly #state: S.LevelShiftState;

  constructor(parameters: LevelShiftParameters, state: S.LevelShiftState) {
    this.#parameters = parameters;
    this.#state = state;
  }

  /** Notes the present level, which is about to become another one. One that is remembered already is the older, better known. */
  remember(device: number, index: number): void {
    const { levels } = this.#state;
    const at = (device * CHANNEL_COUNT + index) * S.LEVELS;
    const nowUs = this.#nowUs(device);
    if ((levels[at + S.FORMER_UNTIL_US] as number) <= nowUs) levels[at + S.FORMER] = levels[at + S.SLOW] as number;
    levels[at + S.FORMER_UNTIL_US] = nowUs + this.#parameters.returnSeconds * 1e6;
  }

  /** Whether the channel has left its level towards the one before. */
  isReturn(device: number, index: number): boolean {
    const { levels } = this.#state;
    const at = (device * CHANNEL_COUNT + index) * S.LEVELS;
    if ((levels[at + S.FORMER_UNTIL_US] as number) <= this.#nowUs(device)) return false;
    const slow = levels[at + S.SLOW] as number;
    const share = ((levels[at + S.FAST] as number) - slow) / ((levels[at + S.FORMER] as number) - slow);
    return share > 0 && share < RETURN_REACH;
  }

  /** All channels have the level again that they had before, and remember the one that they leave. */
  goBack(device: number): void {
    const { levels } = this.#state;
    const nowUs = this.#nowUs(device);
    for (let index = 0; index < CHANNEL_COUNT; index++) {
      const at = (device * CHANNEL_COUNT + index) * S.LEVELS;
      if ((levels[at + S.FORMER_UNTIL_US] as number) <= nowUs) continue;
      const left = levels[at + S.SLOW] as number;
      levels[at + S.SLOW] = levels[at + S.FORMER] as number;
      levels[at + S.FORMER] = left;
      levels[at + S.FORMER_UNTIL_US] = 0;
    }
  }

  /** Whether a channel that went back is there, as measured by the way that it had to go. */
  isBack(device: number, index: number): boolean {
    const { levels } = this.#state;
    const at = (device * CHANNEL_COUNT + index) * S.LEVELS;
    const slow = levels[at + S.SLOW] as number;
    const away = Math.abs((levels[at + S.MEDIUM] as number) - slow);
    return away < BACK_SHARE * Math.abs((levels[at + S.FORMER] as number) - slow);
  }

  /** Whether a channel that went back has gone on beyond: that is no return. */
  isPast(device: number, index: number): boolean {
    const { levels } = this.#state;
    const at = (device * CHANNEL_COUNT + index) * S.LEVELS;
    const slow = levels[at + S.SLOW] as number;
    return ((levels[at + S.FAST] as number) - slow) / (slow - (levels[at + S.FORMER] as number)) > RETURN_REACH - 1;
  }

  /** The operating point is another one: the channel does not come back. */
  forget(device: number, index: number): void {
    this.#state.levels[(device * CHANNEL_COUNT + index) * S.LEVELS + S.FORMER_UNTIL_US] = 0;
  }

  #nowUs(device: number): number {
    return this.#state.status[device * S.STATUS + S.SEEN_US] as number;
  }
}
