/** How long a job that failed waits before it is tried again. */

const FIRST_SECONDS = 5;
const LONGEST_SECONDS = 3600;

/**
 * Seconds until the next attempt: doubling from five seconds to an hour, with jitter over the upper half so that jobs that
 * failed together do not come again together, and never later than the job's regular time.
 * @param attempt the attempt that failed; 1 is the first
 * @param random in [0, 1)
 */
export function retryDelaySeconds(attempt: number, intervalSeconds: number, random: number): number {
  const ceiling = Math.min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** Math.min(attempt - 1, 16));
  return Math.min(intervalSeconds, ceiling / 2 + (ceiling / 2) * random);
}
