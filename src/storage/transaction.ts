/** What both implementations say about transactions. */
import { OperationalError } from '../telemetry/operational-error.js';
import type { TransactionOptions } from './database.js';

/** The statement that opens a transaction. */
export function beginStatement({ isolation = 'read committed', readOnly = false }: TransactionOptions): string {
  return `BEGIN ISOLATION LEVEL ${isolation.toUpperCase()} ${readOnly ? 'READ ONLY' : 'READ WRITE'}`;
}

/** A session outlived its transaction: a mistake in the program. */
export const transactionFinished = (): Error => new Error('This session belongs to a transaction that has ended.');

/** COMMIT was answered by ROLLBACK, because a failed statement had been ignored. */
export const transactionRolledBack = (): OperationalError =>
  new OperationalError(
    'transaction_rolled_back',
    'The transaction was rolled back instead of committed, since one of its statements had failed.',
  );
