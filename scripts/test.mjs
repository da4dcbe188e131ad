// npm test: installs the services that the tests start, builds, runs the tests, and ends with `N passed, N failed`.
// Arguments go to vitest: npm test -- tests/unit
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseCLI, startVitest } from 'vitest/node';
import { ensureDebianPackages } from './debian-packages.mjs';
import { sourceFiles } from './source-files.mjs';

/** Suites that need both concurrency and TimescaleDB run against a server that the caller provides. */
const TIMESCALE_VARIABLE = 'DOWNHOLE_TEST_TIMESCALE_URL';

function build() {
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) throw new Error('The program does not build: nothing can be tested.');
}

/** Test files that would run on the server as well, while the variable is not set: by themselves or by their support. */
function filesWithoutServer() {
  if ((process.env[TIMESCALE_VARIABLE] ?? '') !== '') return [];
  const textOf = (path) => readFileSync(path, 'utf8').replaceAll(/^import type .*$/gm, '');
  const files = sourceFiles(['tests'], ['.ts']).map((path) => ({ path, text: textOf(path) }));
  const asking = new Set(files.filter(({ text }) => text.includes(TIMESCALE_VARIABLE)).map(({ path }) => path));
  // Who imports a support file that asks for the server asks too.
  for (let size = 0; size !== asking.size;) {
    size = asking.size;
    const names = [...asking].map((path) => `/${path.slice('tests/'.length, -'.ts'.length)}.js'`);
    const nearer = names.map((name) => `'./${name.slice(name.lastIndexOf('/') + 1)}`);
    for (const { path, text } of files) {
      const isSupport = path.startsWith('tests/support/');
      if ((isSupport ? nearer : names).some((name) => text.includes(name))) asking.add(path);
    }
  }
  return [...asking].filter((path) => path.endsWith('.test.ts')).sort();
}

/** Counts tests; a file that does not load, a hook that throws and an error nobody handled count as failures. */
function count(vitest) {
  let passed = 0;
  let failed = vitest.state.getUnhandledErrors().length;
  const skipped = [];
  for (const module of vitest.state.getTestModules()) {
    let failedHere = 0;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === 'passed') passed++;
      else if (state === 'failed') failedHere++;
      else skipped.push(test.fullName);
    }
    const errors = module.errors().length + [...module.children.allSuites()].flatMap((suite) => suite.errors()).length;
    failed += failedHere + errors;
    if (!module.ok() && failedHere + errors === 0) failed++;
  }
  return { passed, failed, skipped };
}

async function runTests(args) {
  const { filter, options } = parseCLI(['vitest', 'run', ...args]);
  const vitest = await startVitest('test', filter, { ...options, watch: false, run: true });
  const counted = count(vitest);
  await vitest.close();
  // A test that says it cannot run here is listed; those that a name pattern left out are not.
  if (options.testNamePattern === undefined && counted.skipped.length > 0) {
    console.log(`not run here: ${counted.skipped.join('; ')}`);
  }
  return counted;
}

let passed = 0;
let failed = 0;
try {
  ensureDebianPackages();
  build();
  ({ passed, failed } = await runTests(process.argv.slice(2)));
  const waiting = filesWithoutServer();
  if (waiting.length > 0) {
    console.log(
      `not run here: the part on a TimescaleDB server (${TIMESCALE_VARIABLE} is not set) of ${waiting.join(', ')}`,
    );
  }
  if (passed + failed === 0) console.error('No test was run: that is a failure.');
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  failed++;
}
if (failed === 0 && (passed === 0 || (process.exitCode ?? 0) !== 0)) failed++;
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
