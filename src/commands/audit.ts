/** `downhole audit`: who did what to what. */
import { OperationalError } from '../telemetry/operational-error.js';
import { withAdministration } from './administration.js';
import { loadSettings, type GlobalOptions } from './load-settings.js';
import { readMoment } from './read-moment.js';
import { textTable } from './text-table.js';

export interface AuditOptions extends GlobalOptions {
  readonly since?: string;
  readonly limit: string;
}

const MOST_ENTRIES = 1000;

/** Prints the audit log, newest first. @throws OperationalError `wrong_usage`, and those of withAdministration */
export async function showAuditLog(options: AuditOptions): Promise<void> {
  const settings = loadSettings(options, process.env['DOWNHOLE_LOG_LEVEL'] === undefined ? { logLevel: 'warn' } : {});
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST_ENTRIES)
    throw new OperationalError(
      'wrong_usage',
      `--limit ${JSON.stringify(options.limit)} is not a number from 1 to ${MOST_ENTRIES}.`,
    );
  const sinceUs = options.since === undefined ? null : readMoment('--since', options.since, -1);
  const acts = await withAdministration(settings, 'audit', (admin) => admin.readAuditLog(sinceUs, limit));
  const rows = acts.map(({ at, actor, action, target, detail }) => [at, actor, action, target, JSON.stringify(detail)]);
  process.stdout.write(textTable([['TIME', 'ACTOR', 'ACTION', 'TARGET', 'DETAIL'], ...rows]));
}
