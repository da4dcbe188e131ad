import { readFileSync } from 'node:fs';
import { OperationalError } from '../telemetry/operational-error.js';

/** The text of a mapping file. @throws OperationalError `wrong_usage` */
export function readMappingFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    throw new OperationalError('wrong_usage', `The mapping file ${path} cannot be read: ${error.message}`, {
      cause: error,
    });
  }
}
