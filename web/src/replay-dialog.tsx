import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from './api.js';
import { formatNumber } from './format.js';
import { Icon } from './icons.js';
import { lettersOf, NOTHING_YET, type ReplayChoice, type ReplayTally, runReplay } from './replay-run.js';

interface ReplayDialogProps {
  readonly choice: ReplayChoice;
  /** How many letters that is. */
  readonly count: number;
  /** Which letters, in words. */
  readonly which: string;
  readonly onClose: () => void;
}

type Step = 'asking' | 'running' | 'stopping' | 'done';

export const letterWord = (count: number): string => `${formatNumber(count)} ${count === 1 ? 'letter' : 'letters'}`;

/** Asks, replays, and says what came of it. */
export function ReplayDialog({ choice, count, which, onClose }: ReplayDialogProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const stopped = useRef(false);
  const [step, setStep] = useState<Step>('asking');
  const [tally, setTally] = useState(NOTHING_YET);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    dialog.current?.showModal();
    // Whoever leaves the page in the middle stops after the request under way.
    return () => void (stopped.current = true);
  }, []);

  const start = async (): Promise<void> => {
    setStep('running');
    try {
      await runReplay(choice, () => !stopped.current, setTally);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setProblem(error.message);
    }
    setStep('done');
  };
  const stop = (): void => {
    stopped.current = true;
    setStep('stopping');
  };
  const isRunning = step === 'running' || step === 'stopping';
  return (
    <dialog
      ref={dialog}
      class="replay"
      aria-labelledby="replay-title"
      onCancel={(event) => {
        if (isRunning) event.preventDefault();
      }}
      onClose={onClose}
    >
      <h2 id="replay-title">{step === 'done' ? 'Replay' : `Replay ${letterWord(count)}?`}</h2>
      {step === 'asking' && (
        <>
          <p>{which}</p>
          <p class="muted">
            They are read again from their original bytes, and stored where nothing stands in the way any more. What is
            refused again waits on. Nothing is replayed twice.
          </p>
        </>
      )}
      {isRunning && (
        <>
          <progress max={count} value={lettersOf(tally)} aria-label="Letters replayed" />
          <p role="status">
            {formatNumber(lettersOf(tally))} of {letterWord(count)}
            {step === 'stopping' && ', stopping'} …
          </p>
        </>
      )}
      {step === 'done' && <Result tally={tally} count={count} problem={problem} isStopped={stopped.current} />}
      <div class="dialog-buttons">
        {step === 'asking' && (
          <>
            <button type="button" class="plain" onClick={() => dialog.current?.close()}>
              Cancel
            </button>
            <button type="button" class="primary" onClick={() => void start()}>
              Replay {letterWord(count)}
            </button>
          </>
        )}
        {isRunning && (
          <button type="button" class="plain" aria-disabled={step === 'stopping'} onClick={stop}>
            Stop
          </button>
        )}
        {step === 'done' && (
          <button type="button" class="primary" ref={focusOn} onClick={() => dialog.current?.close()}>
            Close
          </button>
        )}
      </div>
    </dialog>
  );
}

/** The button that had the focus is gone. */
const focusOn = (element: HTMLElement | null): void => element?.focus();

interface ResultProps {
  readonly tally: ReplayTally;
  readonly count: number;
  readonly problem: string | null;
  readonly isStopped: boolean;
}

function Result({ tally, count, problem, isStopped }: ResultProps): JSX.Element {
  const outcomes = Object.entries(tally.outcomes).map(([name, records]) => `${formatNumber(records)} ${name}`);
  return (
    <div role="status" class="replay-result">
      {problem !== null && (
        <p class="mark-line bad">
          <Icon name="anomaly" />
          <span>{problem} What is listed here is done; the others wait on. Replaying again repeats nothing.</span>
        </p>
      )}
      {isStopped && problem === null && lettersOf(tally) < count && (
        <p>
          Stopped after {formatNumber(lettersOf(tally))} of {letterWord(count)}; the others wait on.
        </p>
      )}
      {tally.replayed > 0 && (
        <p class="mark-line good">
          <Icon name="ok" />
          <span>
            {letterWord(tally.replayed)} replayed. Records: {outcomes.join(', ')}.
          </span>
        </p>
      )}
      {Object.entries(tally.refusals).map(([code, { letters, error }]) => (
        <p key={code} class="mark-line">
          <span class="warn">
            <Icon name="anomaly" />
          </span>
          <span>
            {letterWord(letters)} refused again and waiting on, <code>{code}</code>: {error}
          </span>
        </p>
      ))}
      {tally.skipped > 0 && (
        <p>
          {letterWord(tally.skipped)} left out: {tally.skippedBecause ?? 'no longer waiting'}.
        </p>
      )}
      {lettersOf(tally) === 0 && problem === null && <p>No letter was waiting any more.</p>}
    </div>
  );
}
