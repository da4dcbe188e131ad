/**
 * When a condition becomes an alert and when the alert has passed: after delays, and with two thresholds, so that a figure that
 * swings about one tells nobody every minute. Pure; instants are epoch microseconds of one clock.
 */

/** What a look found: the case, between the thresholds, or not the case. */
export type Sighting = 'present' | 'lingering' | 'absent';

export interface AlertDelays {
  readonly forUs: number;
  readonly resolveUs: number;
}

/** `pending`: the case, and not for long enough; `firing`: an alert; `resolved`: an alert that has passed. */
export interface AlertState {
  readonly state: 'pending' | 'firing' | 'resolved';
  /** When it was first the case. */
  readonly seenUs: number;
  readonly raisedUs: number | null;
  /** Firing, and not the case since then. */
  readonly absentUs: number | null;
  readonly endedUs: number | null;
}

/**
 * The state after a look. undefined: there is nothing, or nothing any more.
 * A clock that was set back only makes delays longer: nothing is raised or resolved before its time has passed.
 */
export function nextState(
  before: AlertState | undefined,
  sighting: Sighting,
  nowUs: number,
  { forUs, resolveUs }: AlertDelays,
): AlertState | undefined {
  if (before === undefined || before.state === 'resolved')
    return sighting === 'present' ? raisedWhenDue(nowUs, nowUs, forUs) : undefined;
  if (before.state === 'pending')
    return sighting === 'present' ? raisedWhenDue(before.seenUs, nowUs, forUs) : undefined;
  if (sighting !== 'absent') return before.absentUs === null ? before : { ...before, absentUs: null };
  const absentUs = before.absentUs ?? nowUs;
  if (nowUs - absentUs < resolveUs) return { ...before, absentUs };
  return { ...before, state: 'resolved', absentUs, endedUs: Math.max(nowUs, before.raisedUs ?? nowUs) };
}

function raisedWhenDue(seenUs: number, nowUs: number, forUs: number): AlertState {
  const isDue = nowUs - seenUs >= forUs;
  return { state: isDue ? 'firing' : 'pending', seenUs, raisedUs: isDue ? nowUs : null, absentUs: null, endedUs: null };
}
