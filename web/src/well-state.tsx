import type { JSX } from 'preact';
import type { Device } from '../../src/console/api-schemas.js';
import { Icon } from './icons.js';

export const WELL_STATES = ['running', 'starting', 'transient', 'off', 'silent', 'unknown'] as const;
export type WellState = (typeof WELL_STATES)[number];

const WORDS: Readonly<Record<WellState, string>> = {
  running: 'Running',
  starting: 'Starting',
  transient: 'Changing',
  off: 'Off',
  silent: 'Silent',
  unknown: 'Unknown',
};

/** A well is silent after this many of its expected intervals without a record … */
const SILENT_INTERVALS = 5;
/** … and never before this many seconds: a batch on its way is not silence. */
const SILENT_AT_LEAST_SECONDS = 60;

/** What a well does, as far as its last record can tell. @param nowMs the server's clock */
export function wellState(device: Device, nowMs: number): WellState {
  if (device.last_seen === null) return 'unknown';
  const silentAfterSeconds = Math.max(
    SILENT_AT_LEAST_SECONDS,
    SILENT_INTERVALS * (device.expected_interval_seconds ?? 60),
  );
  if (nowMs - Date.parse(device.last_seen) > silentAfterSeconds * 1000) return 'silent';
  return WELL_STATES.find((state) => state === device.operating_state) ?? 'unknown';
}

export function stateWord(state: WellState): string {
  return WORDS[state];
}

export function StateMark({ state }: { readonly state: WellState }): JSX.Element {
  return (
    <span class={`mark state-${state}`}>
      <Icon name={state} />
      {WORDS[state]}
    </span>
  );
}

export function AnomalyMark({ cause }: { readonly cause: string | null }): JSX.Element {
  return (
    <span class="mark bad">
      <Icon name="anomaly" />
      {cause === null ? 'Anomaly' : cause}
    </span>
  );
}
