// Checks which file imports which (the rules are in .dependency-cruiser.cjs), and that every source file was really
// read: a checker that reads nothing finds nothing wrong.
import { existsSync } from 'node:fs';
import { cruise, format } from 'dependency-cruiser';
import extractConfiguration from 'dependency-cruiser/config-utl/extract-depcruise-config';
import { sourceFiles } from './source-files.mjs';

const folders = ['src', 'benchmarks', 'tests', 'web/src'].filter((folder) => existsSync(folder));
const expected = sourceFiles(folders, ['.ts', '.tsx']).filter((file) => !file.endsWith('.d.ts'));

const { options, ...ruleSet } = await extractConfiguration('./.dependency-cruiser.cjs');
const { output } = await cruise(folders, { ...options, ruleSet, validate: true });

const read = new Map(output.modules.map((module) => [module.source, module.dependencies.length]));
const unread = expected.filter((file) => !read.has(file));
const imports = expected.reduce((sum, file) => sum + (read.get(file) ?? 0), 0);
if (expected.length === 0 || imports === 0 || unread.length > 0) {
  console.error(`imports: read ${expected.length - unread.length} of ${expected.length} files with ${imports} imports`);
  if (unread.length > 0) console.error(`not read: ${unread.join(', ')}`);
  process.exit(1);
}

const violations = output.summary.violations.length;
if (violations > 0) console.error((await format(output, { outputType: 'err-long' })).output);
console.log(`imports: ${expected.length} files, ${imports} imports, ${violations} in the wrong direction`);
process.exit(violations > 0 ? 1 : 0);
