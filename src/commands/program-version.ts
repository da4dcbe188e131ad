/** The version of this program, as its package has it. */
import { readFileSync } from 'node:fs';

const PACKAGE = new URL('../../../package.json', import.meta.url);

export const PROGRAM_VERSION = (JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string }).version;
