import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { AlertList, ShownAlert, Silence, TestAnswers } from '../../src/alerts/alert-schemas.js';
import { AlertTable } from './alert-table.js';
import { ApiError, getJson, sendJson, serverNowMs } from './api.js';
import { formatDateTime } from './format.js';
import { Icon } from './icons.js';
import { Loaded } from './loaded.js';
import { mayAdminister } from './session.js';
import { SilenceForm } from './silence-form.js';
import { usePoll } from './use-poll.js';

const POLL_MS = 5000;
const HISTORY_LIMIT = 100;

/** What fires, what keeps it quiet, and what was. */
export function AlertsPage(): JSX.Element {
  // After an act everything is asked for anew.
  const [version, setVersion] = useState(0);
  const open = usePoll(`alerts ${version}`, (abort) => getJson<AlertList>('/v1/alerts', abort), POLL_MS);
  const history = usePoll(
    `history ${version}`,
    (abort) => getJson<AlertList>(`/v1/alerts/history?limit=${HISTORY_LIMIT}`, abort),
    POLL_MS,
  );
  const silences = usePoll(
    `silences ${version}`,
    (abort) => getJson<{ silences: Silence[] }>('/v1/alerts/silences', abort),
    POLL_MS,
  );
  const anew = (): void => setVersion(version + 1);
  return (
    <div class="page">
      <div class="page-head">
        <h1>Alerts</h1>
        {mayAdminister() && <TestButton />}
      </div>
      <Loaded polled={open}>{(data) => <Firing alerts={data.alerts} />}</Loaded>
      <section>
        <h2>Maintenance windows</h2>
        <p class="muted">What comes up in them is recorded, and told at their end if it still is the case.</p>
        <Loaded polled={silences}>{(data) => <Silences silences={data.silences} onLifted={anew} />}</Loaded>
        {mayAdminister() ? (
          <SilenceForm onMade={anew} />
        ) : (
          <p class="muted">Beginning one needs a key with the scope admin; this session has none.</p>
        )}
      </section>
      <section>
        <h2>History</h2>
        <Loaded polled={history}>
          {({ alerts }) =>
            alerts.length === 0 ? (
              <p class="card muted">No alert was raised of late.</p>
            ) : (
              <AlertTable alerts={alerts} label="History" isHistory />
            )
          }
        </Loaded>
      </section>
    </div>
  );
}

function Firing({ alerts }: { readonly alerts: readonly ShownAlert[] }): JSX.Element {
  if (alerts.length === 0)
    return (
      <div class="empty">
        <h2>Nothing fires</h2>
        <p>What the rules look at is as it should be.</p>
      </div>
    );
  return (
    <section>
      <h2>What is the case</h2>
      <AlertTable alerts={alerts} label="What is the case" />
    </section>
  );
}

/** Sends a test through every channel, and says what each answered. */
function TestButton(): JSX.Element {
  const [answer, setAnswer] = useState<{ isGood: boolean; text: string } | null>(null);
  const [isBusy, setBusy] = useState(false);
  const test = async (): Promise<void> => {
    setBusy(true);
    setAnswer(null);
    try {
      const { channels } = await sendJson<TestAnswers>('POST', '/v1/alerts/test');
      setAnswer(
        channels.length === 0
          ? { isGood: false, text: 'No channel is configured: alerts are in the log alone.' }
          : {
              isGood: channels.every(({ taken }) => taken),
              text: channels.map(({ channel, answer: said }) => `${channel}: ${said}`).join('; '),
            },
      );
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setAnswer({ isGood: false, text: error.message });
    } finally {
      setBusy(false);
    }
  };
  return (
    <div class="toolbar">
      <span role="status" class={answer?.isGood === false ? 'mark bad' : 'mark'}>
        {answer !== null && (
          <>
            <Icon name={answer.isGood ? 'ok' : 'anomaly'} />
            {answer.text}
          </>
        )}
      </span>
      <button type="button" disabled={isBusy} onClick={() => void test()}>
        Send a test
      </button>
    </div>
  );
}

interface SilencesProps {
  readonly silences: readonly Silence[];
  readonly onLifted: () => void;
}

function Silences({ silences, onLifted }: SilencesProps): JSX.Element {
  const [problem, setProblem] = useState<string | null>(null);
  const nowMs = serverNowMs();
  const current = silences.filter(({ to, lifted_at: lifted }) => lifted === null && Date.parse(to) > nowMs);
  if (current.length === 0) return <p class="card muted">There is none in force, and none to come.</p>;
  const lift = async (id: number): Promise<void> => {
    try {
      await sendJson('DELETE', `/v1/alerts/silences/${id}`);
      setProblem(null);
      onLifted();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setProblem(error.message);
    }
  };
  return (
    <>
      <div class="table-frame" role="region" aria-label="Maintenance windows" tabIndex={0}>
        <table>
          <thead>
            <tr>
              {['Of', 'From', 'To', 'Reason', 'By', ''].map((title) => (
                <th key={title} scope="col">
                  <span class="heading">{title === '' ? <span class="visually-hidden">Act</span> : title}</span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {current.map((silence) => (
              <tr key={silence.id}>
                <th scope="row">{subjectOf(silence)}</th>
                <td>{formatDateTime(Date.parse(silence.from))}</td>
                <td>{formatDateTime(Date.parse(silence.to))}</td>
                <td class="words">{silence.reason}</td>
                <td>{silence.created_by}</td>
                <td class="toolbar">
                  {mayAdminister() && (
                    <button type="button" onClick={() => void lift(silence.id)}>
                      End<span class="visually-hidden"> the window of {subjectOf(silence)}</span>
                    </button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="bad" role="alert">
        {problem}
      </p>
    </>
  );
}

function subjectOf({ device, site, rule }: Silence): string {
  const who = [device === null ? '' : `well ${device}`, site === null ? '' : `site ${site}`].filter(
    (part) => part !== '',
  );
  return `${who.length === 0 ? 'everything' : who.join(', ')}${rule === null ? '' : `: ${rule}`}`;
}
