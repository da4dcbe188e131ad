/** What the main thread and the thread of the embedded database say to each other: one message a call, one back. */

export interface WorkerOptions {
  /** Directory of the cluster; created when it does not exist. */
  readonly directory: string;
}

export type Operation =
  | { readonly kind: 'query'; readonly sql: string; readonly parameters: readonly (string | null)[] }
  | { readonly kind: 'execute'; readonly sql: string; readonly parameters: readonly (string | null)[] }
  | {
      readonly kind: 'script';
      readonly sql: string;
      /** Whether to leave the session as it was afterwards: no open transaction, no changed settings. */
      readonly tidy: boolean;
    }
  | { readonly kind: 'copy'; readonly target: string; readonly data: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'copyOut'; readonly sql: string }
  | { readonly kind: 'commit' }
  /** Between transactions only. */
  | { readonly kind: 'maintain' }
  | { readonly kind: 'close' };

export interface Request {
  readonly id: number;
  readonly operation: Operation;
}

/** What PostgreSQL says about a failed statement: enough to decide and to explain. */
export interface StatementFailure {
  readonly message: string;
  readonly code: string;
  readonly severity: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly schema?: string;
  readonly table?: string;
  readonly column?: string;
  readonly constraint?: string;
}

export interface Opened {
  readonly postgresVersion: string;
  readonly timescaleVersion: string;
}

export type Reply =
  | { readonly kind: 'opened'; readonly opened: Opened }
  | { readonly kind: 'done'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly failure: StatementFailure }
  /** The engine itself broke: nothing that it says from here on can be relied upon, and the thread ends. */
  | { readonly kind: 'crashed'; readonly message: string };
