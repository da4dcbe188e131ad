/** The roles that a process can have. Each is a command of its own; `run` takes several, `up` has all of them. */
import { OperationalError } from '../telemetry/operational-error.js';

/** In the order of the data. */
export const ROLES = ['ingest', 'pipeline', 'jobs', 'console'] as const;
export type Role = (typeof ROLES)[number];

/** The roles of these names, each once, in the order of the data. @throws OperationalError `wrong_usage` */
export function parseRoles(names: readonly string[]): Role[] {
  const unknown = names.find((name) => !(ROLES as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw new OperationalError(
      'wrong_usage',
      `There is no role ${JSON.stringify(unknown)}; the roles are ${ROLES.join(', ')}.`,
    );
  return ROLES.filter((role) => names.includes(role));
}
