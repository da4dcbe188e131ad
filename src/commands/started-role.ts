/** What every role of a process hands over once it has started. */
import type { HttpServerOptions } from '../ingest/http-server.js';
import type { Probe } from '../monitoring/readiness.js';

/** What a role adds to the HTTP server of its process. */
export type RoleHttp = Pick<HttpServerOptions, 'broker' | 'ledger' | 'pipeline' | 'database' | 'routes'>;

export interface StartedRole {
  /** Absent where health and metrics are all, which are there anyway. */
  readonly http?: RoleHttp;
  /** What it depends on. */
  readonly probes: readonly Probe[];
  /** Never resolves; rejects when the role breaks down for good, which is a programming error. */
  readonly failed?: Promise<never>;
  /** Finishes what is under way; does nothing the second time. What roles share stays open. */
  readonly stop?: () => Promise<void>;
}
