import type { Events } from '../monitoring/events.js';

/** A stop that takes longer is abandoned: what is durable is found again at the next start. */
const LONGEST_STOP_MS = 30_000;
/** Ctrl-C under npm comes twice at once, from the terminal and from npm: only a later signal means that somebody insists. */
const INSISTING_AFTER_MS = 1000;

/**
 * Waits for SIGINT or SIGTERM, or for `failed` to reject (then it rejects too), and puts everything away.
 * A further signal, a second or more after the first, ends the process at once.
 */
export async function untilStopped(events: Events, failed: Promise<never>, stop: () => Promise<void>): Promise<void> {
  let announce: (signal: string) => void = () => undefined;
  const signalled = new Promise<string>((resolve) => (announce = resolve));
  let firstMs: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    firstMs ??= performance.now();
    if (performance.now() - firstMs >= INSISTING_AFTER_MS) process.exit(1);
    announce(signal);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    const signal = await Promise.race([signalled, failed]);
    events.emit('stopping', { signal });
    const startedMs = performance.now();
    const deadline = setTimeout(() => process.exit(1), LONGEST_STOP_MS);
    try {
      await stop();
    } finally {
      clearTimeout(deadline); // also after a failure: it would keep the process for half a minute
    }
    events.emit('stopped', { milliseconds: Math.round(performance.now() - startedMs) });
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}
