/**
 * The rules of the house that no linter knows. Each is a list of offenders that has to be empty; the message names
 * file and line. CONTRIBUTING.md says why the rules are what they are.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { EVENTS } from '../../src/monitoring/events.js';
import { METRICS } from '../../src/monitoring/metrics.js';
import { sourceFiles } from '../../scripts/source-files.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const LONGEST_FILE_LINES = 400;

interface SourceFile {
  readonly path: string;
  readonly text: string;
}

const load = (folders: readonly string[], extensions: readonly string[]): SourceFile[] =>
  sourceFiles(folders, extensions, root).map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));

const src = load(['src'], ['.ts']);
const tests = load(['tests'], ['.ts', '.mjs']);
const web = load(['web/src'], ['.ts', '.tsx', '.css']);
const rest = load(['benchmarks', 'scripts'], ['.ts', '.mjs']);
const migrations = load(['src/storage/migrations'], ['.sql']);
const documents = load(['docs'], ['.md']).concat(
  ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', 'NOTICE']
    .filter((path) => existsSync(join(root, path)))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') })),
);
const everything = [...src, ...tests, ...web, ...rest, ...migrations, ...documents];
/** This file writes down what must not be written anywhere else. */
const exceptThis = everything.filter(({ path }) => path !== 'tests/unit/house-rules.test.ts');

/** Comments and the contents of strings are not code; lines and their numbers stay. */
function codeOf(text: string): string {
  return text
    .replace(/\/\*[^]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/(^|[^:'"`\\])\/\/[^\n]*/g, '$1');
}

/** `path:line: text` of every line that matches. */
function linesThat(pattern: RegExp, files: readonly SourceFile[], content = codeOf): string[] {
  return files.flatMap(({ path, text }) =>
    content(text)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
  );
}

const asWritten = (text: string): string => text;
const outside = (folder: string, files: readonly SourceFile[]): SourceFile[] =>
  files.filter(({ path }) => !path.startsWith(folder));

describe('the house rules', () => {
  it('are about files that were read', () => {
    expect(src.length).toBeGreaterThan(50);
    expect(tests.length).toBeGreaterThan(10);
    expect(migrations.length).toBeGreaterThan(0);
    expect(documents.length).toBeGreaterThan(5);
  });

  it(`no file of src has more than ${LONGEST_FILE_LINES} lines`, () => {
    const long = src.map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }));
    expect(long.filter(({ lines }) => lines > LONGEST_FILE_LINES)).toEqual([]);
  });

  it('file names are kebab-case', () => {
    const names = [...src, ...tests, ...rest, ...web.filter(({ path }) => path.startsWith('web/src/'))];
    expect(names.map(({ path }) => path).filter((path) => !/^[a-z0-9/.-]+$/.test(path))).toEqual([]);
  });

  it('nothing is switched off: no any, no suppressed compiler or linter', () => {
    expect(linesThat(/(:|<|\bas) any\b/, [...src, ...tests, ...web])).toEqual([]);
    expect(linesThat(/@ts-(ignore|nocheck|expect-error)/, exceptThis, asWritten)).toEqual([]);
    // A rule may be wrong about a line; then the line says why: `oxlint-disable-next-line RULE -- reason`.
    expect(linesThat(/(oxlint|eslint)-disable(?!-next-line [\w/-]+ -- \w)/, exceptThis, asWritten)).toEqual([]);
  });

  it('nothing is left for later', () => {
    expect(linesThat(/\b(TODO|FIXME|HACK)\b/, exceptThis, asWritten)).toEqual([]);
  });

  it('no error is swallowed without a word', () => {
    expect(linesThat(/catch\s*(\([^)]*\))?\s*\{\s*\}/, [...src, ...web])).toEqual([]);
    expect(linesThat(/\.catch\(\(\) => (undefined|\{\s*\}|null)\)/, src.map(withoutExplained))).toEqual([]);
  });

  it('only commands read the environment, end the process or write to the terminal', () => {
    const rooms = outside('src/commands/', src).filter(({ path }) => path !== 'src/cli.ts');
    expect(linesThat(/process\.env\b/, rooms)).toEqual([]);
    expect(linesThat(/process\.(exit\(|exitCode|on\('SIG)/, rooms)).toEqual([]);
    expect(linesThat(/console\.(log|error|warn|info)\(|process\.stdout\b/, rooms)).toEqual([]);
  });

  it('exports have names', () => {
    expect(linesThat(/^export default\b/, [...src, ...tests, ...rest])).toEqual([]);
    expect(linesThat(/^export \* from/, [...src, ...web])).toEqual([]);
  });

  it('which implementation runs is asked nowhere', () => {
    const choosers = outside('src/commands/', src).filter(({ path }) => !/\/open-[a-z-]+\.ts$/.test(path));
    expect(linesThat(/\.(database|queue|state)\.url\b/, choosers)).toEqual([]);
    expect(linesThat(/\bif \([^)]*\bembedded\b/i, choosers)).toEqual([]);
  });

  it('no path of one machine, and no address but the own machine', () => {
    const machine = /(^|[\s'"`(=])\/(home|Users|work|root)\/[a-z]/;
    expect(linesThat(machine, exceptThis, asWritten)).toEqual([]);
    expect(linesThat(/['"`]0\.0\.0\.0['"`]/, [...src, ...rest])).toEqual([]);
  });

  it('migrations are numbered without gaps, each number once', () => {
    const numbers = migrations.map(({ path }) => /\/(\d{4})_[a-z0-9_]+\.sql$/.exec(path)?.[1] ?? path);
    expect(numbers).toEqual(numbers.map((_, index) => String(index + 1).padStart(4, '0')));
  });

  it('every event and every metric is used', () => {
    const emitted = outside('src/monitoring/events.ts', src).map(({ text }) => text);
    expect(Object.keys(EVENTS).filter((name) => !emitted.some((text) => text.includes(`'${name}'`)))).toEqual([]);
    const moved = outside('src/monitoring/metrics.ts', src).map(({ text }) => text);
    expect(Object.keys(METRICS).filter((name) => !moved.some((text) => text.includes(`'${name}'`)))).toEqual([]);
  });

  it('every test file tests, and none is left out', () => {
    const files = tests.filter(({ path }) => path.endsWith('.test.ts'));
    const asserting = /\bexpect\(|\bexpect\.|fc\.assert\(|\bassert[A-Z(.]|Contract\(/;
    expect(files.filter(({ text }) => !asserting.test(codeOf(text))).map(({ path }) => path)).toEqual([]);
    expect(linesThat(/\b(it|test|describe)(\.\w+)*\.(only|skip|todo)\b/, tests)).toEqual([]);
  });

  it('every link between documents leads somewhere', () => {
    expect(documents.flatMap(brokenLinks)).toEqual([]);
  });

  it('every script that a document names exists', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = documents.flatMap(({ text }) => [...text.matchAll(/npm run (?:--silent )?([a-z][a-z:-]*)/g)]);
    expect(named.length).toBeGreaterThan(0);
    expect(named.map((match) => match[1] as string).filter((name) => !(name in scripts))).toEqual([]);
  });
});

/** A handler that ignores everything is fine on a line that says why. */
function withoutExplained({ path, text }: SourceFile): SourceFile {
  return { path, text: text.replace(/^.*\.catch\(\(\) => [^\n]*\/\/[^\n]*$/gm, '') };
}

function brokenLinks({ path, text }: SourceFile): string[] {
  const prose = text.replace(/```[^]*?```/g, '');
  const targets = [...prose.matchAll(/\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"/g)].map(
    (match) => (match[1] ?? match[2]) as string,
  );
  return targets
    .filter((target) => !/^(https?:|mailto:)/.test(target))
    .filter((target) => !leadsSomewhere(path, target))
    .map((target) => `${path}: ${target}`);
}

function leadsSomewhere(path: string, target: string): boolean {
  const [file = '', anchor] = target.split('#');
  const resolved = file === '' ? join(root, path) : join(root, dirname(path), file);
  if (!existsSync(resolved)) return false;
  if (anchor === undefined || statSync(resolved).isDirectory()) return true;
  const headings = [...readFileSync(resolved, 'utf8').matchAll(/^#+ (.+)$/gm)].map((match) => slug(match[1] as string));
  return headings.includes(anchor);
}

/** How GitHub names the anchor of a heading. */
const slug = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
