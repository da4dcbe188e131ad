import { computed, type ReadonlySignal, signal } from '@preact/signals';
import { serverNowMs } from './api.js';
import { formatAge } from './format.js';

const TICK_MS = 1000;

/** The server's clock in epoch milliseconds, ticking once a second while the tab is visible. */
const nowMs = signal(serverNowMs());
window.setInterval(() => {
  if (!document.hidden) nowMs.value = serverNowMs();
}, TICK_MS);

/** How long ago an instant was, as text that updates itself without rendering anything around it. */
export function ageOf(instant: string): ReadonlySignal<string> {
  const atMs = Date.parse(instant);
  return computed(() => formatAge((nowMs.value - atMs) / 1000));
}
