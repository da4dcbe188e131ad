import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from './api.js';

const SLOWEST_RETRY_MS = 10_000;

export interface Polled<T> {
  /** The last answer; kept while later requests fail, so that the page never goes blank. */
  readonly data: T | undefined;
  /** Why the last request failed, until one succeeds. */
  readonly error: ApiError | undefined;
}

/**
 * Asks again and again while the tab is visible; at once when it becomes visible or `key` changes.
 * @param key what is asked for: a new key aborts the request under way (the last data stays until the answer is there)
 * @param intervalMs pause after an answer; a function gets the answer
 */
export function usePoll<T>(
  key: string,
  ask: (abort: AbortSignal) => Promise<T>,
  intervalMs: number | ((answer: T) => number),
): Polled<T> {
  const [state, setState] = useState<Polled<T>>({ data: undefined, error: undefined });
  const asking = useRef(ask);
  asking.current = ask;

  useEffect(() => {
    const abort = new AbortController();
    let timer: number | undefined;
    let failures = 0;
    const again = (delayMs: number): void => {
      timer = window.setTimeout(() => void run(), delayMs);
    };
    const run = async (): Promise<void> => {
      window.clearTimeout(timer);
      timer = undefined;
      if (document.hidden) return;
      try {
        const data = await asking.current(abort.signal);
        if (abort.signal.aborted) return;
        failures = 0;
        setState({ data, error: undefined });
        again(typeof intervalMs === 'function' ? intervalMs(data) : intervalMs);
      } catch (error) {
        if (abort.signal.aborted) return;
        if (!(error instanceof ApiError)) throw error;
        failures++;
        setState((last) => ({ data: last.data, error }));
        // The form to sign in takes the place of what asked; nothing is asked until then.
        if (error.status === 401) return;
        const pauseMs = Math.min(SLOWEST_RETRY_MS, 1000 * 2 ** failures);
        again(Math.max(pauseMs, (error.retryAfterSeconds ?? 0) * 1000));
      }
    };
    const whenVisible = (): void => {
      if (!document.hidden && timer === undefined) void run();
    };
    // `timer` is undefined both while asking and while hidden; asking twice at once is harmless and rare.
    document.addEventListener('visibilitychange', whenVisible);
    void run();
    return () => {
      abort.abort();
      window.clearTimeout(timer);
      document.removeEventListener('visibilitychange', whenVisible);
    };
  }, [key]);

  return state;
}
