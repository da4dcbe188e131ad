import { createHash } from 'node:crypto';

/** Names an alert for as long as it is the same trouble: 16 hex digits over rule and labels, as Alertmanager's are long. */
export function fingerprintOf(rule: string, labels: Readonly<Record<string, string>>): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([rule, sorted]))
    .digest('hex')
    .slice(0, 16);
}
