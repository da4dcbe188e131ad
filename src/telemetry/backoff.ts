/** Exponential backoff with jitter over its upper half (M. Brooker, "Exponential Backoff And Jitter", 2015). */

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 10_000;

/** Milliseconds to wait before attempt `attempt` (1 = first repetition); `random` in [0, 1). */
export function backoffMs(attempt: number, random: number): number {
  const ceiling = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt - 1, 16));
  return Math.round(ceiling / 2 + (ceiling / 2) * random);
}

/** Waits, or less when the signal aborts: then it resolves at once. */
export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, milliseconds);
    signal.addEventListener('abort', finish);
  });
}
