/**
 * The protocol: P1 a fresh detector for each file; P2 the files of a calendar day as one stream with state carried over;
 * P3 the recording without anomalies, as it is and spoiled. The first 400 rows of a file (P2: of a session) are warm-up.
 */
import { copyOf, type PumpFile } from './pump-files.js';
import { spoiled } from './spoil.js';
import type { Subject } from './subjects.js';
import { count, emptyTally, percent, pooled, ratesOf, type Rates, type Tally } from './tally.js';

const WARM_UP_ROWS = 400;
const US_PER_DAY = 86_400e6;
const US_PER_HOUR = 3600e6;
/** Of the spoiling in P3: the mean of some is steadier than one. */
const SPOIL_SEEDS = [1, 2, 3];

export interface LabelledFile extends PumpFile {
  readonly labels: Uint8Array;
}

export const isLabelled = (file: PumpFile): file is LabelledFile => file.labels !== undefined;

export interface PerFile extends Rates {
  readonly files: Readonly<Record<string, Rates>>;
}

export interface Replay extends Rates {
  readonly events: number;
  readonly eventsFound: number;
  readonly falseEpisodesPerHour: number | null;
  /** From the start of an event that was found to its first alarm. */
  readonly medianDelaySeconds: number | null;
}

export interface AnomalyFree {
  readonly far: number | null;
  readonly farMissingAndSpikes: number | null;
}

/** The tally of each file, judged by a detector of its own. */
export function tallyFiles(subject: Subject, files: readonly LabelledFile[]): Map<string, Tally> {
  const tallies = new Map<string, Tally>();
  for (const { name, rows, labels } of files) {
    const batch = copyOf(rows);
    subject().evaluate(batch);
    const tally = emptyTally();
    for (let row = WARM_UP_ROWS; row < batch.length; row++)
      count(tally, labels[row] as number, batch.isAnomaly[row] as number);
    tallies.set(name, tally);
  }
  return tallies;
}

/** P1. */
export function perFile(tallies: ReadonlyMap<string, Tally>): PerFile {
  return {
    ...ratesOf(pooled([...tallies.values()])),
    files: Object.fromEntries([...tallies].map(([name, tally]) => [name, ratesOf(tally)])),
  };
}

/** P2. An event is a run of labelled rows; an episode of alarms is false when it touches none. */
export function replay(subject: Subject, files: readonly LabelledFile[]): Replay {
  const tallies: Tally[] = [];
  const delays: number[] = [];
  let events = 0;
  let falseEpisodes = 0;
  let playedUs = 0;
  for (const session of sessionsOf(files)) {
    const played = playSession(subject, session);
    tallies.push(played.tally);
    delays.push(...played.delaysSeconds);
    events += played.events;
    falseEpisodes += played.falseEpisodes;
    playedUs += played.playedUs;
  }
  delays.sort((a, b) => a - b);
  return {
    ...ratesOf(pooled(tallies)),
    events,
    eventsFound: delays.length,
    falseEpisodesPerHour: playedUs === 0 ? null : Number((falseEpisodes / (playedUs / US_PER_HOUR)).toFixed(2)),
    medianDelaySeconds: delays[Math.floor(delays.length / 2)] ?? null,
  };
}

/** Files by their first row, in groups of one calendar day (UTC). */
function sessionsOf(files: readonly LabelledFile[]): LabelledFile[][] {
  const sessions = new Map<number, LabelledFile[]>();
  const startOf = ({ rows }: LabelledFile): number => rows.timestampUs[0] as number;
  for (const file of files.filter(({ rows }) => rows.length > 0).sort((a, b) => startOf(a) - startOf(b))) {
    const day = Math.floor(startOf(file) / US_PER_DAY);
    sessions.set(day, [...(sessions.get(day) ?? []), file]);
  }
  return [...sessions.values()];
}

interface Played {
  readonly tally: Tally;
  readonly events: number;
  readonly delaysSeconds: number[];
  readonly falseEpisodes: number;
  /** Time of the scored rows; the pauses between files are none. */
  readonly playedUs: number;
}

function playSession(subject: Subject, session: readonly LabelledFile[]): Played {
  const evaluator = subject();
  const played = { tally: emptyTally(), events: 0, delaysSeconds: [] as number[], falseEpisodes: 0, playedUs: 0 };
  let seen = 0;
  let event = { isOn: false, sinceUs: 0, isFound: false };
  let episode = { isOn: false, isTrue: false };
  for (const { rows, labels } of session) {
    const batch = copyOf(rows);
    evaluator.evaluate(batch);
    for (let row = 0; row < batch.length; row++) {
      if (seen++ < WARM_UP_ROWS) continue;
      const [label, verdict] = [labels[row] as number, batch.isAnomaly[row] as number];
      const atUs = batch.timestampUs[row] as number;
      count(played.tally, label, verdict);
      if (row > 0) played.playedUs += atUs - (batch.timestampUs[row - 1] as number);
      if (label === 1 && !event.isOn) {
        event = { isOn: true, sinceUs: atUs, isFound: false };
        played.events++;
      } else if (label === 0) event.isOn = false;
      if (label === 1 && verdict === 1 && !event.isFound) {
        event.isFound = true;
        played.delaysSeconds.push((atUs - event.sinceUs) / 1e6);
      }
      if (verdict === 1) episode = { isOn: true, isTrue: (episode.isOn && episode.isTrue) || label === 1 };
      else {
        if (episode.isOn && !episode.isTrue) played.falseEpisodes++;
        episode.isOn = false;
      }
    }
    event.isOn = false;
  }
  if (episode.isOn && !episode.isTrue) played.falseEpisodes++;
  return played;
}

/** P3. */
export function anomalyFree(subject: Subject, files: readonly PumpFile[]): AnomalyFree {
  const clean = files.filter((file) => !isLabelled(file));
  const falseAlarms = (seed: number | undefined): number | null => {
    let [alarms, rowsSeen] = [0, 0];
    for (const { rows } of clean) {
      const batch = seed === undefined ? copyOf(rows) : spoiled(rows, seed);
      subject().evaluate(batch);
      for (let row = WARM_UP_ROWS; row < batch.length; row++, rowsSeen++) alarms += batch.isAnomaly[row] as number;
    }
    return percent(alarms, rowsSeen);
  };
  const far = falseAlarms(undefined);
  if (far === null) return { far, farMissingAndSpikes: null };
  const spoiledRates = SPOIL_SEEDS.map((seed) => falseAlarms(seed) as number);
  const mean = spoiledRates.reduce((sum, rate) => sum + rate, 0) / spoiledRates.length;
  return { far, farMissingAndSpikes: Number(mean.toFixed(2)) };
}
