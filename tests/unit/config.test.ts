import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONFIGURATION_KEYS, environmentName } from '../../src/config/keys.js';
import { loadConfig, type LoadConfigOptions } from '../../src/config/load-config.js';
import { OperationalError } from '../../src/telemetry/operational-error.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'downhole-config-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function file(text: string): string {
  const path = join(directory, 'downhole.yaml');
  writeFileSync(path, text);
  return path;
}

/** What is said of a configuration that must not load. */
function problems(options: Partial<LoadConfigOptions>): string[] {
  try {
    loadConfig({ environment: {}, ...options });
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
    expect(error.code).toBe('invalid_configuration');
    expect(error.retryable).toBe(false);
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.trim().replaceAll(`${directory}/`, ''));
  }
  throw new Error('this configuration was taken');
}

describe('environmentName', () => {
  it.each([
    ['http.port', 'DOWNHOLE_HTTP_PORT'],
    ['dataDir', 'DOWNHOLE_DATA_DIR'],
    ['simulator.wells', 'DOWNHOLE_SIMULATOR_WELLS'],
    ['http.maxBodyBytes', 'DOWNHOLE_HTTP_MAX_BODY_BYTES'],
    ['detection.zThreshold', 'DOWNHOLE_DETECTION_Z_THRESHOLD'],
  ])('%s ↔ %s', (path, name) => expect(environmentName(path)).toBe(name));

  it('is one name a key', () => {
    const names = CONFIGURATION_KEYS.map((key) => key.environmentName);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThan(25);
  });
});

describe('the sources', () => {
  it('has a default and a description for every key', () => {
    const defaults = loadConfig({ environment: {} });
    expect(defaults.http).toMatchObject({ host: '127.0.0.1', port: 8080 });
    for (const key of CONFIGURATION_KEYS) expect(key.schema.description, key.path).toMatch(/./);
  });

  it('puts the file over the defaults, the environment over the file, the command line over all', () => {
    const path = file('http:\n  port: 1001\n  maxDepth: 9\nsimulator: {wells: 3, seed: 5}\nlogLevel: warn\n');
    const config = loadConfig({
      file: path,
      environment: { DOWNHOLE_HTTP_PORT: '1002', DOWNHOLE_SIMULATOR_WELLS: '4', HOME: '/root', DOWNHOLE_TEST_X: '1' },
      overrides: { 'http.port': 1003, 'http.host': undefined, 'simulator.backfillDays': '2.5' },
    });
    expect(config.http).toMatchObject({ port: 1003, maxDepth: 9, host: '127.0.0.1' });
    expect(config.simulator).toMatchObject({ wells: 4, seed: 5, backfillDays: 2.5 });
    expect(config.logLevel).toBe('warn');
    expect(loadConfig({ environment: { DOWNHOLE_CONFIG: path } }).http.port).toBe(1001);
  });

  it('reads lists with commas', () => {
    const config = loadConfig({ environment: { DOWNHOLE_QUALITY_EXPECTED_CHANNELS: 'rpm, temperature' } });
    expect(config.quality.expectedChannels).toEqual(['rpm', 'temperature']);
    expect(loadConfig({ environment: { DOWNHOLE_QUALITY_EXPECTED_CHANNELS: '' } }).quality.expectedChannels).toEqual(
      [],
    );
  });

  it('reads secrets from files', () => {
    const path = file('postgres://ada:secret@db/telemetry\n');
    const config = loadConfig({ environment: { DOWNHOLE_DATABASE_URL_FILE: path } });
    expect(config.database.url).toBe('postgres://ada:secret@db/telemetry');
  });

  it('takes an empty file, empty sections, comments and aliases', () => {
    expect(loadConfig({ file: file(''), environment: {} })).toEqual(loadConfig({ environment: {} }));
    expect(loadConfig({ file: file('# nothing\n---\nhttp:\nqueue: {}\n'), environment: {} }).http.port).toBe(8080);
    const aliased = file('http: {port: &p 9, maxDepth: *p}\n');
    expect(loadConfig({ file: aliased, environment: {} }).http.maxDepth).toBe(9);
  });

  it('gives every caller a configuration of its own', () => {
    const config = loadConfig({ environment: {} });
    config.quality.expectedChannels.push('rpm');
    expect(loadConfig({ environment: {} }).quality.expectedChannels).toHaveLength(4);
  });

  it('reads back whatever value of whatever key from environment and file alike', () => {
    const keyAndValue = fc.constantFrom(...CONFIGURATION_KEYS).chain((key) => {
      const { type, minimum = 0, maximum = 1e9, enum: choices } = key.schema;
      if (choices !== undefined) return fc.constantFrom(...choices).map((value) => ({ key, value }));
      if (type === 'integer') return fc.integer({ min: minimum, max: maximum }).map((value) => ({ key, value }));
      if (type === 'number') {
        const min = Math.max(minimum, 1e-3);
        return fc.double({ min, max: Math.min(maximum, 1e6), noNaN: true }).map((value) => ({ key, value }));
      }
      if (type === 'boolean') return fc.boolean().map((value) => ({ key, value }));
      if (type === 'array') return fc.subarray([...(key.schema.items?.enum ?? [])]).map((value) => ({ key, value }));
      const [protocol] = key.schema.protocols ?? [];
      if (protocol !== undefined) return fc.webPath().map((path) => ({ key, value: `${protocol}//host${path}` }));
      return fc.stringMatching(/^[a-z:/][ -~]{0,20}$/).map((value) => ({ key, value }));
    });
    const together = ['pipeline.batchRecords', 'pipeline.maxBatchRecords', 'queue.maxBytes', 'queue.segmentBytes'];
    together.push(
      'http.maxBodyBytes',
      'http.maxPendingBytes',
      'http.tls.certificateFile',
      'http.tls.keyFile',
      'archive.connectionString',
      'alerts.email.smtpUrl',
    );
    const alone = keyAndValue.filter(({ key }) => !together.includes(key.path));
    fc.assert(
      fc.property(alone, ({ key, value }) => {
        const at = (config: unknown) =>
          key.path.split('.').reduce((section, name) => (section as Record<string, unknown>)[name], config);
        const text = Array.isArray(value) ? value.join(',') : String(value);
        expect(at(loadConfig({ environment: { [key.environmentName]: text } }))).toEqual(value);
        const names = key.path.split('.');
        const tree = names.reduceRight<unknown>((inner, name) => ({ [name]: inner }), value);
        expect(at(loadConfig({ file: file(JSON.stringify(tree)), environment: {} }))).toEqual(value);
      }),
      { numRuns: 200 },
    );
  });
});

describe('what is refused, with key, value and remedy', () => {
  it('lists every problem of a file with line and column', () => {
    const path = file(
      [
        'http:',
        '  prot: 3',
        '  port: 70000',
        'queue: {url: 5}',
        'detector: z',
        'http.port: 3',
        'dataDir: ""',
        'logLevel:',
      ].join('\n'),
    );
    expect(problems({ file: path })).toEqual([
      'http.prot (downhole.yaml:2:3) is not a key; did you mean http.port?',
      'detector (downhole.yaml:5:1) is not a key; did you mean detection.detector?',
      'http.port (downhole.yaml:6:1) is written with a dot; write port under http',
      'dataDir (downhole.yaml:7:10) is ""; give text that is not empty',
      expect.stringMatching(/^logLevel \(downhole\.yaml:8:\d+\) has no value; give one of debug, info, warn, error$/),
      'http.port (downhole.yaml:3:9) is 70000; give a whole number from 0 to 65535',
      'queue.url (downhole.yaml:4:14) has a value that does not fit (not shown: it is a secret); give a URL that begins with amqp:// or amqps://',
    ]);
  });

  it.each([
    ['http: [1', /^downhole\.yaml:1:\d+: .*correct the YAML$/],
    ['http:\n\tport: 1', /^downhole\.yaml:2:1: /],
    ['http: {port: 1}\nhttp: {port: 2}', /^downhole\.yaml:2:1: .*unique/],
    ['- a', /^downhole\.yaml:1:1: the file holds no keys/],
    ['just text', /the file holds no keys/],
    ['http: 5', /^http \(downhole\.yaml:1:1\) is a section; give keys of it$/],
    ['http: {port: 1.5}', /is 1\.5; give a whole number/],
    ['http: {port: "80"}', /is "80"; give a whole number/],
    ['__proto__: {port: 1}', /^__proto__ .* is not a key/],
    ['constructor: 1', /^constructor .* is not a key/],
    ['quality: {expectedChannels: [rpm, rmp]}', /is \["rpm","rmp"\]; give a list, each one of temperature/],
    ['quality: {expectedChannels: rpm}', /is "rpm"; give a list/],
    ['detection: {zThreshold: 0}', /is 0; give a number above 0/],
    ['detection: {zThreshold: .inf}', /zThreshold/],
    ['simulator: {intervalSeconds: .nan}', /intervalSeconds/],
    ['http: {port: !!js/function "x"}', /correct the YAML/],
    [
      'pipeline: {batchRecords: 5000, maxBatchRecords: 10}',
      /maxBatchRecords is 10, which is less than pipeline\.batchRecords \(5000\)/,
    ],
    ['---\nhttp: {}\n---\nhttp: {}', /documents/],
  ])('%j', (text, expected) => {
    const found = problems({ file: file(text) });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(expected);
  });

  it('refuses aliases that multiply', () => {
    const lines = ['a: &a [x,x,x,x,x,x,x,x,x]'];
    for (let level = 1; level < 9; level++)
      lines.push(`${'abcdefghi'[level]}: &${'abcdefghi'[level]} [${`*${'abcdefghi'[level - 1]},`.repeat(9)}]`);
    lines.push('quality: {expectedChannels: *i}');
    expect(() => loadConfig({ file: file(lines.join('\n')), environment: {} })).toThrow(/alias/);
  });

  it.each([
    [{ DOWNHOLE_HTP_PORT: '1' }, 'DOWNHOLE_HTP_PORT is not a known variable; did you mean DOWNHOLE_HTTP_PORT?'],
    [{ DOWNHOLE_QQQQQQQQ: '1' }, 'DOWNHOLE_QQQQQQQQ is not a known variable; unset it'],
    [
      { DOWNHOLE_SIMULATOR_WELLS: '' },
      'simulator.wells (DOWNHOLE_SIMULATOR_WELLS) is ""; give a whole number from 0 to 100000',
    ],
    [{ DOWNHOLE_HTTP_PORT: '0x50' }, 'http.port (DOWNHOLE_HTTP_PORT) is "0x50"; give a whole number from 0 to 65535'],
    [
      { DOWNHOLE_HTTP_PORT: '1e999' },
      'http.port (DOWNHOLE_HTTP_PORT) is Infinity; give a whole number from 0 to 65535',
    ],
    [
      { DOWNHOLE_DATA_DIR_FILE: 'x' },
      'DOWNHOLE_DATA_DIR_FILE is not read: dataDir is no secret; set DOWNHOLE_DATA_DIR instead',
    ],
    [
      { DOWNHOLE_DATABASE_URL_FILE: '/nowhere/at/all' },
      'database.url (DOWNHOLE_DATABASE_URL_FILE) cannot be read from "/nowhere/at/all" (ENOENT); name a readable file',
    ],
    [
      { DOWNHOLE_DATABASE_URL_FILE: '/x', DOWNHOLE_DATABASE_URL: 'y' },
      'DOWNHOLE_DATABASE_URL and DOWNHOLE_DATABASE_URL_FILE are both set; unset one of them',
    ],
  ])('%j', (environment, expected) => expect(problems({ environment })).toEqual([expected]));

  it.each([
    ['DOWNHOLE_DATABASE_URL', 'postgre://db/t', 'postgres:// or postgresql://'],
    ['DOWNHOLE_QUEUE_URL', 'mq.example', 'amqp:// or amqps://'],
    ['DOWNHOLE_STATE_URL', 'https://cache', 'redis:// or rediss://'],
  ])('a URL of another protocol: %s', (name, value, expected) => {
    const [problem, ...more] = problems({ environment: { [name]: value } });
    expect(problem).toMatch(
      new RegExp(`\\(${name}\\) has a value that does not fit .*give a URL that begins with ${expected}$`),
    );
    expect([problem?.includes(value), more]).toEqual([false, []]);
  });

  it('names the command line', () => {
    expect(problems({ overrides: { 'http.max_body_bytes': 1, 'http.port': 'x' } })).toEqual([
      'http.max_body_bytes (command line) is not a key; did you mean http.maxBodyBytes?',
      'http.port (command line) is "x"; give a whole number from 0 to 65535',
    ]);
  });

  it('says when the file is not there', () => {
    expect(problems({ file: '/nowhere/downhole.yaml' })).toEqual([
      'the file /nowhere/downhole.yaml cannot be read (ENOENT); name a readable YAML file',
    ]);
  });
});
