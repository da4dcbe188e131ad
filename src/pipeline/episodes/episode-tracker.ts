/**
 * The records of one device, evaluated, in time order → its episodes, each with a diagnosis. Two things open one: records
 * that the rules or the detector found anomalous for long enough, and a signature that fits (fault-watch.ts).
 *
 * Pure: no clock, no I/O. Its state can be saved between any two records, and what goes on from there finds the same as if it
 * had never been interrupted. Without saved state it is fed some hours of older rows first, so that it knows what is normal; a
 * slow fault needs days of them.
 */
import type { ConditionName } from '../../telemetry/conditions.js';
import { OperatingState } from '../../telemetry/operating-state.js';
import { FIRST_RULE_CAUSE } from '../../telemetry/anomaly-cause.js';
import type { ReadingBatch } from '../../telemetry/reading-batch.js';
import { CHANNEL_COUNT } from '../../telemetry/channels.js';
import { bestOf, type Diagnosis } from '../diagnosis/diagnose.js';
import { FaultWatch } from '../diagnosis/fault-watch.js';
import type { StateReader, StateWriter } from '../state-bytes.js';
import { AlarmFilter } from './alarm-filter.js';
import { type Episode, EPISODE_DEFAULTS, type EpisodeOptions } from './episode.js';
import { readEpisodeState, writeEpisodeState } from './episode-state.js';

/** A later diagnosis knows more: it replaces one that was surer by less than this. */
const LATER_COUNTS = 0.07;
const LEAST_QUIET_INTERVALS = 5;
/** Confidence that is enough where the detector has raised an alarm; and how often it is asked for. */
const CONFIRMED = 0.5;
/** Of the instruments, not of the pump. */
const INSTRUMENT_FAULTS: ReadonlySet<ConditionName> = new Set(['stuck_sensor', 'gauge_loss']);
const WAITED_LOOKS = 3;

export class EpisodeTracker {
  readonly #options: EpisodeOptions;
  readonly #watch = new FaultWatch();
  readonly #alarm: AlarmFilter;
  #open: Episode | undefined;
  /** Ended, and may still be continued. */
  #ended: Episode | undefined;
  readonly #causes = new Map<number, number>();
  #lastEndUs = Number.NEGATIVE_INFINITY;
  #looks = 0;
  #waited = 0;
  #lastUs = Number.NaN;
  #intervalUs = 0;

  constructor(options: EpisodeOptions = EPISODE_DEFAULTS) {
    this.#options = options;
    this.#alarm = new AlarmFilter(options);
  }

  /** The episode that is going on. */
  get open(): Episode | undefined {
    return this.#open;
  }

  /** Takes row `row` of a batch. @returns the episode that is over for good, if one is now */
  add(batch: ReadingBatch, row: number): Episode | undefined {
    const timestampUs = batch.timestampUs[row] as number;
    const state = batch.operatingState[row] as OperatingState;
    this.#intervalUs = timestampUs - this.#lastUs;
    this.#lastUs = timestampUs;
    const cause = batch.anomalyCause[row] as number;
    // Statistics are about running pumps; what a rule found is wrong in any state.
    const isJudged = state !== OperatingState.off || cause >= FIRST_RULE_CAUSE;
    const isAnomaly = batch.isAnomaly[row] === 1 && isJudged;
    const isOn = this.#alarm.add(timestampUs, isAnomaly);
    const hasLooked = this.#watch.add(timestampUs, batch.values, row * CHANNEL_COUNT, state);
    if (state === OperatingState.off && !isOn) {
      if (this.#open !== undefined) this.#end(this.#open);
      this.#watch.close();
    } else if (this.#open === undefined) this.#openIfDue(timestampUs, isOn, cause, hasLooked);
    if (this.#open !== undefined) this.#continue(this.#open, batch, row, isAnomaly, hasLooked);
    return this.#forGood(timestampUs);
  }

  /** What is left when the records have ended: the last episode, open or not. */
  finish(): Episode[] {
    const left = [this.#ended, this.#open].filter((episode) => episode !== undefined);
    if (this.#open !== undefined) this.#diagnose(this.#open);
    this.#open = undefined;
    this.#ended = undefined;
    return left;
  }

  save(writer: StateWriter): void {
    this.#watch.save(writer);
    this.#alarm.save(writer);
    writeEpisodeState(writer, this.#open);
    writeEpisodeState(writer, this.#ended);
    writer.numbers([...this.#causes].flat());
    writer.numbers([this.#lastEndUs, this.#looks, this.#waited, this.#lastUs, this.#intervalUs]);
  }

  /** Takes what was saved; to be called once, on a new one. @throws StateMismatch */
  restore(reader: StateReader): void {
    this.#watch.restore(reader);
    this.#alarm.restore(reader);
    this.#open = readEpisodeState(reader);
    this.#ended = readEpisodeState(reader);
    const causes = reader.numbers();
    for (let at = 0; at < causes.length; at += 2) this.#causes.set(causes[at] as number, causes[at + 1] as number);
    const own = reader.numbers(5) as unknown as [number, number, number, number, number];
    [this.#lastEndUs, this.#looks, this.#waited, this.#lastUs, this.#intervalUs] = own;
  }

  #openIfDue(timestampUs: number, isOn: boolean, cause: number, hasLooked: boolean): void {
    const finding = this.#watch.finding;
    if (finding === undefined && !(isOn && this.#isWorthAnEpisode(timestampUs, cause, hasLooked))) return;
    const onsets = [...(isOn ? [this.#alarm.state.sinceUs] : []), ...(finding === undefined ? [] : [finding.onsetUs])];
    // What is excluded from the reference may be found once more, from before it was over.
    const startUs = Math.max(Math.min(...onsets), this.#lastEndUs);
    const ended = this.#ended;
    this.#looks = 0;
    if (ended !== undefined && startUs - ended.endUs <= this.#options.mergeSeconds * 1e6) {
      this.#open = { ...ended, isOpen: true };
      this.#ended = undefined;
      return;
    }
    this.#causes.clear();
    this.#open = {
      startUs,
      endUs: timestampUs,
      foundUs: timestampUs,
      peakScore: Number.NaN,
      peakUs: startUs,
      cause: -1,
      anomalousRecords: 0,
      ranking: finding?.ranking ?? [],
      isOpen: true,
    };
  }

  /**
   * A choke that is set differently is a shift of the level, and nothing is wrong: an alarm of the detector is an episode where
   * a signature fits, or when it does not end.
   */
  #isWorthAnEpisode(timestampUs: number, cause: number, hasLooked: boolean): boolean {
    if (cause >= FIRST_RULE_CAUSE) return true;
    const { sinceUs } = this.#alarm.state;
    if (timestampUs - sinceUs >= this.#options.unnamedDelaySeconds * 1e6) return true;
    if (!hasLooked || this.#waited++ % WAITED_LOOKS !== 0) return false;
    return confidenceOf(this.#watch.rank(sinceUs)) >= CONFIRMED;
  }

  #continue(episode: Episode, batch: ReadingBatch, row: number, isAnomaly: boolean, hasLooked: boolean): void {
    const timestampUs = batch.timestampUs[row] as number;
    const finding = this.#watch.finding;
    if (isAnomaly) {
      episode.anomalousRecords++;
      this.#count(episode, batch.anomalyCause[row] as number);
      const score = batch.anomalyScore[row] as number;
      if (!(score <= episode.peakScore)) {
        episode.peakScore = score;
        episode.peakUs = timestampUs;
      }
    }
    if (isAnomaly || finding?.lastSeenUs === timestampUs) episode.endUs = Math.max(episode.endUs, timestampUs);
    if (finding !== undefined) {
      episode.endUs = Math.max(episode.endUs, finding.lastSeenUs);
      // What the watch finds later, over days perhaps, may be what it was from the beginning.
      const ranking = behindTheFault(finding.ranking, episode.ranking[0]?.condition);
      if (confidenceOf(ranking) > confidenceOf(episode.ranking)) episode.ranking = ranking;
    }
    if (hasLooked) {
      this.#looks++;
      // At first often, then each time that it has become twice as long: a diagnosis looks at all of it.
      if (this.#looks <= 6 || (this.#looks & (this.#looks - 1)) === 0) this.#diagnose(episode);
    }
    const quietUs = Math.max(this.#options.quietSeconds * 1e6, LEAST_QUIET_INTERVALS * this.#intervalUs);
    if (timestampUs - episode.endUs >= quietUs && !this.#alarm.state.isOn) this.#end(episode);
  }

  #count(episode: Episode, cause: number): void {
    this.#causes.set(cause, (this.#causes.get(cause) ?? 0) + 1);
    if ((this.#causes.get(cause) ?? 0) > (this.#causes.get(episode.cause) ?? 0)) episode.cause = cause;
  }

  #diagnose(episode: Episode): void {
    const ranking = behindTheFault(this.#watch.rank(episode.startUs), episode.ranking[0]?.condition);
    if (confidenceOf(ranking) >= confidenceOf(episode.ranking) - LATER_COUNTS && ranking.length > 0)
      episode.ranking = ranking;
  }

  #end(episode: Episode): void {
    episode.isOpen = false;
    this.#ended = episode;
    this.#lastEndUs = episode.endUs;
    this.#open = undefined;
    this.#watch.close();
    this.#alarm.reset();
  }

  #forGood(timestampUs: number): Episode | undefined {
    const ended = this.#ended;
    if (ended === undefined || timestampUs - ended.endUs <= this.#options.mergeSeconds * 1e6) return undefined;
    this.#ended = undefined;
    return ended;
  }
}

const confidenceOf = (ranking: readonly Diagnosis[]): number => ranking[0]?.confidence ?? 0;

/**
 * An instrument that fails during a fault of the pump does not end it: what was diagnosed stays before the instrument for as long
 * as it fits.
 */
function behindTheFault(ranking: readonly Diagnosis[], diagnosed: ConditionName | undefined): readonly Diagnosis[] {
  const [first] = ranking;
  if (first === undefined || diagnosed === undefined) return ranking;
  if (!INSTRUMENT_FAULTS.has(first.condition) || INSTRUMENT_FAULTS.has(diagnosed)) return ranking;
  const fault = bestOf(ranking.filter(({ condition }) => condition === diagnosed));
  return fault === undefined ? ranking : [fault, ...ranking.filter((other) => other !== fault)];
}
