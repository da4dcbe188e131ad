/** The version of this program, as its package has it. */
import { existsSync, readFileSync } from 'node:fs';

/** Above src where tests load it from there, above dist/src otherwise. */
const PACKAGE = ['../../package.json', '../../../package.json']
  .map((path) => new URL(path, import.meta.url))
  .find((url) => existsSync(url));
if (PACKAGE === undefined) throw new Error('The program is not complete: there is no package.json above it.');

export const PROGRAM_VERSION = (JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string }).version;
