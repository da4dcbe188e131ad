/**
 * Anomalous records → alarms with delay and hysteresis: one begins only when records have been anomalous for a while, and
 * ends only after a quiet time. The state is a handful of numbers.
 */
import type { StateReader, StateWriter } from '../state-bytes.js';
import type { EpisodeOptions } from './episode.js';

export interface AlarmState {
  /** First anomalous record of the present run, epoch microseconds; NaN = none. */
  sinceUs: number;
  /** Last anomalous record. */
  lastUs: number;
  anomalous: number;
  records: number;
  isOn: boolean;
}

/** Share of the records of a run that must be anomalous. */
const LEAST_SHARE = 0.5;
/** At slow sampling a quiet time is so many records at least. */
const LEAST_QUIET_RECORDS = 5;

export class AlarmFilter {
  state: AlarmState = { sinceUs: Number.NaN, lastUs: Number.NaN, anomalous: 0, records: 0, isOn: false };
  #quietRecords = 0;
  readonly #options: EpisodeOptions;

  constructor(options: EpisodeOptions) {
    this.#options = options;
  }

  /** Takes the next record. @returns whether an alarm is on */
  add(timestampUs: number, isAnomaly: boolean): boolean {
    const { state } = this;
    if (isAnomaly) {
      if (Number.isNaN(state.sinceUs)) this.state = { ...state, sinceUs: timestampUs, anomalous: 0, records: 0 };
      this.state.lastUs = timestampUs;
      this.state.anomalous++;
      this.#quietRecords = 0;
    } else this.#quietRecords++;
    if (Number.isNaN(this.state.sinceUs)) return false;
    this.state.records++;
    if (this.#isQuiet(timestampUs)) this.reset();
    else if (!this.state.isOn) this.state.isOn = isAnomaly && this.#hasLasted(timestampUs);
    return this.state.isOn;
  }

  reset(): void {
    this.state = { sinceUs: Number.NaN, lastUs: Number.NaN, anomalous: 0, records: 0, isOn: false };
  }

  save(writer: StateWriter): void {
    const { sinceUs, lastUs, anomalous, records, isOn } = this.state;
    writer.numbers([sinceUs, lastUs, anomalous, records, isOn ? 1 : 0, this.#quietRecords]);
  }

  /** @throws StateMismatch */
  restore(reader: StateReader): void {
    const saved = reader.numbers(6) as unknown as [number, number, number, number, number, number];
    const [sinceUs, lastUs, anomalous, records, isOn, quietRecords] = saved;
    this.state = { sinceUs, lastUs, anomalous, records, isOn: isOn === 1 };
    this.#quietRecords = quietRecords;
  }

  #hasLasted(timestampUs: number): boolean {
    const { sinceUs, anomalous, records } = this.state;
    const { delaySeconds, leastRecords } = this.#options;
    return (
      timestampUs - sinceUs >= delaySeconds * 1e6 && anomalous >= leastRecords && anomalous >= LEAST_SHARE * records
    );
  }

  #isQuiet(timestampUs: number): boolean {
    const quietUs = this.#options.quietSeconds * 1e6;
    // Before an alarm is on, a single pause ends the run: what flickers never opens one.
    const isLong = timestampUs - this.state.lastUs >= (this.state.isOn ? quietUs : quietUs / 5);
    return isLong && this.#quietRecords >= LEAST_QUIET_RECORDS;
  }
}
