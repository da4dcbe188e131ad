/**
 * When an anomaly begins and ends, given how far a record is from the level. It begins with the first score above 1, and
 * ends when the level is back: the score has fallen to a share of its peak for some records in a row. Afterwards the
 * device settles; what is then still away has a new level.
 */
import { CHANNEL_COUNT } from '../../telemetry/channels.js';
import type { ReadingBatch } from '../../telemetry/reading-batch.js';
import type { ChannelMeter } from './channel-meter.js';
import type { FormerLevels } from './former-levels.js';
import type { LevelShiftParameters } from './level-shift-parameters.js';
import * as S from './level-shift-state.js';

/** An anomaly that lasts this many usual intervals at least is not yet the new normal. */
const LONGEST_INTERVALS = 10;
/** What was learned anew has to be known for so long before it is judged. */
const RELEARN_SECONDS = 60;

export class AlarmRule {
  readonly #parameters: LevelShiftParameters;
  readonly #state: S.LevelShiftState;
  readonly #meter: ChannelMeter;
  readonly #formerLevels: FormerLevels;

  constructor(
    parameters: LevelShiftParameters,
    state: S.LevelShiftState,
    meter: ChannelMeter,
    formerLevels: FormerLevels,
  ) {
    this.#parameters = parameters;
    this.#state = state;
    this.#meter = meter;
    this.#formerLevels = formerLevels;
  }

  /** Ends what there is without settling: the device does something else now. */
  end(device: number): void {
    const at = device * S.STATUS;
    this.#state.status[at + S.ALARM] = 0;
    this.#state.status[at + S.SETTLE_SECONDS] = 0;
    this.#state.status[at + S.RETURNING] = 0;
  }

  /**
   * Judges the record that the meter has measured.
   * @param stepSeconds time since the last record; 0: another report of the same instant
   */
  judge(batch: ReadingBatch, row: number, device: number, stepSeconds: number): void {
    const { status } = this.#state;
    const at = device * S.STATUS;
    if (status[at + S.ALARM] === 1) {
      batch.anomalyScore[row] = this.#meter.score;
      this.#goOn(batch, row, at, stepSeconds);
    } else if ((status[at + S.SETTLE_SECONDS] as number) > 0) {
      batch.anomalyScore[row] = this.#meter.score;
      this.#settle(batch, row, device, stepSeconds);
    } else if ((status[at + S.MUTE_SECONDS] as number) > 0) {
      status[at + S.MUTE_SECONDS] = (status[at + S.MUTE_SECONDS] as number) - stepSeconds;
      this.#relearn(device);
    } else if (this.isKnown(device)) {
      batch.anomalyScore[row] = this.#meter.score;
      if (this.#meter.score <= 1) return;
      if (this.#formerLevels.isReturn(device, this.#meter.cause)) this.#goBack(device);
      else this.#begin(batch, row, at);
    } else this.#relearn(device);
  }

  /** While nothing is judged, a channel that goes somewhere else has its level there: a recording may begin with a start. */
  #relearn(device: number): void {
    const { levels, counts } = this.#state;
    const { unknownNewLevelScore, unknownRecords } = this.#parameters;
    if (this.#meter.score <= unknownNewLevelScore) return;
    const muteAt = device * S.STATUS + S.MUTE_SECONDS;
    this.#state.status[muteAt] = Math.max(this.#state.status[muteAt] as number, RELEARN_SECONDS);
    for (let index = 0; index < CHANNEL_COUNT; index++) {
      if ((this.#meter.scores[index] as number) <= unknownNewLevelScore) continue;
      const channel = device * CHANNEL_COUNT + index;
      const countAt = channel * S.COUNTS + S.COUNT;
      if ((counts[countAt] as number) <= unknownRecords) continue;
      counts[countAt] = unknownRecords;
      levels[channel * S.LEVELS + S.SLOW] = levels[channel * S.LEVELS + S.MEDIUM] as number;
    }
  }

  /** Whether the device was seen for long enough to be judged. */
  isKnown(device: number): boolean {
    const { status } = this.#state;
    const at = device * S.STATUS;
    const { warmUpSeconds, warmUpRecords } = this.#parameters;
    return (
      (status[at + S.KNOWN_SECONDS] as number) > warmUpSeconds &&
      (status[at + S.KNOWN_RECORDS] as number) > warmUpRecords
    );
  }

  #begin(batch: ReadingBatch, row: number, at: number): void {
    const { status } = this.#state;
    status[at + S.ALARM] = 1;
    status[at + S.FAST_PEAK] = this.#meter.fastScore;
    status[at + S.MEDIUM_PEAK] = this.#meter.mediumScore;
    status[at + S.CALM_RECORDS] = 0;
    status[at + S.ALARM_SECONDS] = 0;
    this.#mark(batch, row);
  }

  #goOn(batch: ReadingBatch, row: number, at: number, stepSeconds: number): void {
    const { status } = this.#state;
    const { endRecords, longestSeconds, settleSeconds } = this.#parameters;
    const isCalm = this.#isCalm(at);
    if (stepSeconds > 0) {
      status[at + S.ALARM_SECONDS] = (status[at + S.ALARM_SECONDS] as number) + stepSeconds;
      status[at + S.CALM_RECORDS] = isCalm ? (status[at + S.CALM_RECORDS] as number) + 1 : 0;
    } else if (!isCalm) status[at + S.CALM_RECORDS] = 0;
    const longest = Math.max(longestSeconds, LONGEST_INTERVALS * (status[at + S.INTERVAL_SECONDS] as number));
    const isOver =
      (status[at + S.CALM_RECORDS] as number) >= endRecords || (status[at + S.ALARM_SECONDS] as number) > longest;
    if (!isOver) {
      this.#mark(batch, row);
      return;
    }
    status[at + S.ALARM] = 0;
    status[at + S.SETTLE_SECONDS] = settleSeconds;
  }

  /** Whether the scores are back; the peaks grow with them. */
  #isCalm(at: number): boolean {
    const { status } = this.#state;
    const { fastEndShare, mediumEndShare, endScore, fastDecidesPeak } = this.#parameters;
    const { fastScore, mediumScore } = this.#meter;
    const fastPeak = Math.max(status[at + S.FAST_PEAK] as number, fastScore);
    const mediumPeak = Math.max(status[at + S.MEDIUM_PEAK] as number, mediumScore);
    status[at + S.FAST_PEAK] = fastPeak;
    status[at + S.MEDIUM_PEAK] = mediumPeak;
    const isFastCalm = fastScore < Math.max(endScore, fastEndShare * fastPeak);
    if (fastPeak > fastDecidesPeak) return isFastCalm;
    return isFastCalm && mediumScore < Math.max(endScore, mediumEndShare * mediumPeak);
  }

  #settle(batch: ReadingBatch, row: number, device: number, stepSeconds: number): void {
    const { status, levels } = this.#state;
    const at = device * S.STATUS;
    const left = (status[at + S.SETTLE_SECONDS] as number) - stepSeconds;
    status[at + S.SETTLE_SECONDS] = left;
    if (status[at + S.RETURNING] !== 0 && this.#isElsewhere(device, left <= 0)) {
      status[at + S.SETTLE_SECONDS] = 0;
      status[at + S.RETURNING] = 0;
      this.#begin(batch, row, at);
      return;
    }
    if (left > 0) return;
    status[at + S.RETURNING] = 0;
    for (let index = 0; index < CHANNEL_COUNT; index++) {
      if ((this.#meter.scores[index] as number) <= this.#parameters.newLevelScore) continue;
      this.#formerLevels.remember(device, index);
      const channelAt = (device * CHANNEL_COUNT + index) * S.LEVELS;
      levels[channelAt + S.SLOW] = levels[channelAt + S.MEDIUM] as number;
    }
  }

  /** Whether a channel that seemed to go back to the level it had before goes, or went, somewhere else. */
  #isElsewhere(device: number, isTimeUp: boolean): boolean {
    if (this.#meter.score <= 1) return false;
    const index = (this.#state.status[device * S.STATUS + S.RETURNING] as number) - 1;
    return this.#formerLevels.isPast(device, index) || (isTimeUp && !this.#formerLevels.isBack(device, index));
  }

  #goBack(device: number): void {
    const { status } = this.#state;
    const at = device * S.STATUS;
    this.#formerLevels.goBack(device);
    status[at + S.RETURNING] = this.#meter.cause + 1;
    status[at + S.SETTLE_SECONDS] = this.#parameters.returnSettleSeconds;
  }

  #mark(batch: ReadingBatch, row: number): void {
    batch.isAnomaly[row] = 1;
    batch.anomalyCause[row] = this.#meter.cause;
  }
}
