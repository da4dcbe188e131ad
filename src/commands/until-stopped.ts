import type { Events } from '../monitoring/events.js';

/** A stop that takes longer is abandoned: what is durable is found again at the next start. */
const LONGEST_STOP_MS = 30_000;

/**
 * Waits for SIGINT or SIGTERM, or for `failed` to reject (then it rejects too), and puts everything away.
 * A second signal ends the process at once.
 */
export async function untilStopped(events: Events, failed: Promise<never>, stop: () => Promise<void>): Promise<void> {
  let announce: (signal: string) => void = () => undefined;
  const signalled = new Promise<string>((resolve) => (announce = resolve));
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (++signals > 1) process.exit(1);
    announce(signal);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    const signal = await Promise.race([signalled, failed]);
    events.emit('stopping', { signal });
    const startedMs = performance.now();
    const deadline = setTimeout(() => process.exit(1), LONGEST_STOP_MS);
    await stop();
    clearTimeout(deadline);
    events.emit('stopped', { milliseconds: Math.round(performance.now() - startedMs) });
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}
