/**
 * Which messages are due: one for all that is new in a group, after a window in which more may come; again after a while if it
 * still is the case; none of what a maintenance window covers. Pure; instants are epoch microseconds.
 */
import type { Severity, ToldAlert } from './alert.js';

export interface OpenAlert extends ToldAlert {
  readonly id: number;
  readonly groupKey: string;
  readonly state: 'firing' | 'resolved';
  /** What a message has said of it. */
  readonly told: 'nothing' | 'firing' | 'resolved';
  /** With which severity; null: nothing was told. */
  readonly toldSeverity: Severity | null;
}

export interface ActiveSilence {
  readonly id: number;
  readonly deviceId: string | null;
  readonly site: string | null;
  readonly rule: string | null;
}

export interface MessageTimes {
  /** From the first news of a group until it is told: what else comes in between is in the same message. */
  readonly groupWaitUs: number;
  /** Least time between two messages of a group. */
  readonly groupIntervalUs: number;
  /** After which what still is the case is told again; 0: never. */
  readonly repeatUs: number;
}

export interface PlannedMessage {
  readonly groupKey: string;
  readonly alerts: readonly OpenAlert[];
}

export interface MessagePlan {
  readonly messages: readonly PlannedMessage[];
  /** Came and went within a maintenance window: nobody is told. */
  readonly untold: readonly OpenAlert[];
  /** Firing and kept from being told, by which window. */
  readonly silenced: readonly { readonly alert: OpenAlert; readonly silenceId: number }[];
}

/**
 * @param alerts all that are firing, and those that have passed and of which that has not been told
 * @param lastToldUs when each group was last told of
 */
export function planMessages(
  alerts: readonly OpenAlert[],
  silences: readonly ActiveSilence[],
  lastToldUs: ReadonlyMap<string, number>,
  nowUs: number,
  times: MessageTimes,
): MessagePlan {
  const groups = new Map<string, OpenAlert[]>();
  const untold: OpenAlert[] = [];
  const silenced: { alert: OpenAlert; silenceId: number }[] = [];
  for (const alert of alerts) {
    const silence = silences.find((each) => covers(each, alert));
    // That something has passed of which somebody was told is told at once: it would stay open with the receiver.
    if (silence === undefined || (alert.state === 'resolved' && alert.told === 'firing')) {
      const group = groups.get(alert.groupKey);
      if (group === undefined) groups.set(alert.groupKey, [alert]);
      else group.push(alert);
    } else if (alert.state === 'resolved') untold.push(alert);
    else silenced.push({ alert, silenceId: silence.id });
  }
  const messages = [...groups]
    .filter(([key, members]) => isDue(members, lastToldUs.get(key), nowUs, times))
    .map(([groupKey, members]) => ({ groupKey, alerts: members }));
  return { messages, untold, silenced };
}

/** Whether there is something of it that no message has said: that it fires, has passed, or is graver or less grave by now. */
export function isNews({ state, told, severity, toldSeverity }: OpenAlert): boolean {
  return state !== told || (state === 'firing' && severity !== toldSeverity);
}

function covers({ deviceId, site, rule }: ActiveSilence, alert: Pick<ToldAlert, 'labels' | 'rule'>): boolean {
  return (
    (deviceId === null || alert.labels['device'] === deviceId) &&
    (site === null || alert.labels['site'] === site) &&
    (rule === null || alert.rule === rule)
  );
}

function isDue(
  members: readonly OpenAlert[],
  lastToldUs: number | undefined,
  nowUs: number,
  { groupWaitUs, groupIntervalUs, repeatUs }: MessageTimes,
): boolean {
  const news = members.filter(isNews);
  if (news.length === 0) return repeatUs > 0 && lastToldUs !== undefined && nowUs - lastToldUs >= repeatUs;
  const first = Math.min(
    ...news.map(({ raisedAtUs, endedAtUs, told }) => (told === 'nothing' ? raisedAtUs : (endedAtUs ?? raisedAtUs))),
  );
  return nowUs - first >= groupWaitUs && (lastToldUs === undefined || nowUs - lastToldUs >= groupIntervalUs);
}
