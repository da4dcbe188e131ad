/** The figures for people: what was measured, beside what others have published. */
import { PUBLISHED } from './published.js';
import type { AnomalyFree, PerFile, Replay } from './protocol.js';
import type { SimulatedPumps } from './simulated-pumps.js';
import type { Rates } from './tally.js';

export interface Figures {
  readonly p1: PerFile;
  readonly p2: Replay;
  readonly p3: AnomalyFree;
  /** Simulated pumps, healthy and failing. */
  readonly p4: SimulatedPumps;
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
    ...simulatedLines(figures.p4),
    `${recordsPerSecond?.toLocaleString('en') ?? '–'} records a second of one core`,
    title('P1 by file'),
    ...Object.entries(p1.files).map(([name, rates]) => line(name, rates)),
    '',
  ].join('\n');
}

function simulatedLines(p4: SimulatedPumps): string[] {
  return [
    `P4: ${p4.devices} healthy simulated pumps, 30 days: FAR ${rate(p4.far)} %, device at the 90th percentile ${rate(p4.farP90)} %, not judged ${rate(p4.muted)} %, ${p4.falseEpisodesPerDeviceMonth} episodes a device`,
    `    ${p4.faults} simulated faults: found in time ${rate(p4.recall)} %, named first ${rate(p4.diagnosisRight)} %`,
    ...Object.entries(p4.conditions).map(
      ([name, { faults, recall, diagnosisRight, medianDelaySeconds }]) =>
        `    ${name.padEnd(18)} ${String(faults).padStart(3)} faults  in time ${rate(recall)} %  named ${rate(diagnosisRight)} %  median delay ${medianDelaySeconds ?? '–'} s`,
    ),
  ];
}

const title = (text: string): string => `\n${text.padEnd(NAME_WIDTH)}    F1  FAR %  MAR %`;
const line = (name: string, rates: Rates, rest = ''): string =>
  `${name.padEnd(NAME_WIDTH)}  ${f1(rates.f1)}  ${rate(rates.far)}  ${rate(rates.mar)}${rest}`;
const f1 = (value: number | null): string => (value === null ? '  – ' : value.toFixed(3).replace(/^0/, ''));
const rate = (value: number | null): string => (value === null ? '–' : value.toFixed(1)).padStart(5);
