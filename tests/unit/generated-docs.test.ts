import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { configurationPage, eventsPage, metricsPage } from '../support/reference-pages.js';
import { sourceFiles } from '../../scripts/source-files.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(root + path, 'utf8');
const page = (name: string): string => `${root}docs/reference/${name}.md`;

describe('docs/reference', () => {
  it('configuration.md is what the schema says', async () => {
    await expect(configurationPage()).toMatchFileSnapshot(page('configuration'));
  });

  it('metrics.md is what the list of metrics says', async () => {
    await expect(metricsPage()).toMatchFileSnapshot(page('metrics'));
  });

  it('events.md is what the list of events says', async () => {
    await expect(eventsPage(read('src/monitoring/events.ts'))).toMatchFileSnapshot(page('events'));
  });

  it('exit-codes.md names every code of an operational failure, and no other', () => {
    const text = sourceFiles(['src'], ['.ts'], root)
      .map((file) => read(file))
      .join('\n');
    const thrown = new Set([...text.matchAll(/new OperationalError\(\s*'([a-z_]+)'/g)].map((match) => match[1]));
    const documented = new Set(
      [...read('docs/reference/exit-codes.md').matchAll(/^\| `([a-z_]+)`/gm)].map((match) => match[1]),
    );
    expect(thrown.size).toBeGreaterThan(0);
    expect([...thrown].filter((code) => !documented.has(code))).toEqual([]);
    expect([...documented].filter((code) => !text.includes(`'${code}'`))).toEqual([]);
  });
});
