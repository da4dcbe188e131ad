/** What is refused to somebody who asks for dead letters. */
import { OperationalError } from '../telemetry/operational-error.js';

/** A question that makes no sense; `field` is the parameter at fault. */
export class WrongUsage extends OperationalError {
  readonly field: string;

  constructor(message: string, field: string) {
    super('wrong_usage', message);
    this.field = field;
  }
}

export const wrongUsage = (message: string, field: string): WrongUsage => new WrongUsage(message, field);

export const unknownLetter = (id: string): OperationalError =>
  new OperationalError(
    'letter_unknown',
    `There is no dead letter ${id}; downhole dlq list --state all shows those that are.`,
  );

export const ambiguousLetter = (prefix: string, ids: readonly string[]): WrongUsage =>
  wrongUsage(`${prefix} is the beginning of several ids: ${ids.join(', ')}; write more of it`, 'id');
