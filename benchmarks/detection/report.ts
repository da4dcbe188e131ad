/** The figures for people: what was measured, beside what others have published. */
import { PUBLISHED } from './published.js';
import type { AnomalyFree, PerFile, Replay } from './protocol.js';
import type { Rates } from './tally.js';

export interface Figures {
  readonly p1: PerFile;
  readonly p2: Replay;
  readonly p3: AnomalyFree;
  /** The simulator's labelled faults; null: not measured. */
  readonly p4: null;
  readonly recordsPerSecond: number | null;
}

export interface Peer {
  readonly name: string;
  readonly p1: Rates;
  readonly p2: Rates;
}

const NAME_WIDTH = 44;

export function report(
  figures: Figures,
  interval: readonly [number, number] | undefined,
  peers: readonly Peer[],
): string {
  const { p1, p2, p3, recordsPerSecond } = figures;
  const shown = interval === undefined ? '' : `   90 % interval over files ${f1(interval[0])} … ${f1(interval[1])}`;
  return [
    title('P1: each file with a fresh detector'),
    line('level-shift', p1, shown),
    ...peers.map((peer) => line(peer.name, peer.p1)),
    title('P1, published, all 34 files'),
    ...PUBLISHED.map(([name, ...rates]) => line(name, { f1: rates[0], far: rates[1], mar: rates[2] })),
    title('P2: the files of a day as one stream'),
    line('level-shift', p2),
    ...peers.map((peer) => line(peer.name, peer.p2)),
    `${p2.eventsFound} of ${p2.events} events found, median delay ${p2.medianDelaySeconds ?? '–'} s; ${p2.falseEpisodesPerHour ?? '–'} false episodes an hour`,
    '',
    `P3: recording without anomalies: FAR ${rate(p3.far)} %, with missing values and spikes ${rate(p3.farMissingAndSpikes)} %`,
    `P4: simulated pumps: ${figures.p4 === null ? 'not measured' : ''}`,
    `${recordsPerSecond?.toLocaleString('en') ?? '–'} records a second of one core`,
    title('P1 by file'),
    ...Object.entries(p1.files).map(([name, rates]) => line(name, rates)),
    '',
  ].join('\n');
}

const title = (text: string): string => `\n${text.padEnd(NAME_WIDTH)}    F1  FAR %  MAR %`;
const line = (name: string, rates: Rates, rest = ''): string =>
  `${name.padEnd(NAME_WIDTH)}  ${f1(rates.f1)}  ${rate(rates.far)}  ${rate(rates.mar)}${rest}`;
const f1 = (value: number | null): string => (value === null ? '  – ' : value.toFixed(3).replace(/^0/, ''));
const rate = (value: number | null): string => (value === null ? '–' : value.toFixed(1)).padStart(5);
