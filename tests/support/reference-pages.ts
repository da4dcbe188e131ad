/** The pages of docs/reference/, written from the lists they describe. Tests compare; `npm run generate:docs` updates. */
import { CONFIGURATION_KEYS, describeExpected, type ConfigurationKey } from '../../src/config/keys.js';
import { EVENTS, type EventName } from '../../src/monitoring/events.js';
import { METRICS, type MetricName } from '../../src/monitoring/metrics.js';

const GENERATED = (source: string): string =>
  `<!-- Written from ${source} by \`npm run generate:docs\`. A test fails when it is out of date. -->`;

/** A vertical bar would end the cell. */
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

const sectionOf = ({ path }: ConfigurationKey): string => (path.includes('.') ? (path.split('.')[0] as string) : '');

function defaultValue(key: ConfigurationKey): string {
  const value = key.schema.default;
  if (value === undefined) return '';
  return value === '' ? '(empty)' : `\`${JSON.stringify(value)}\``;
}

function configurationTable(section: string): string {
  const rows = CONFIGURATION_KEYS.filter((key) => sectionOf(key) === section).map((key) => [
    `\`${key.path}\``,
    `\`${key.environmentName}\``,
    describeExpected(key.schema),
    defaultValue(key),
    (key.schema.description ?? '') +
      (key.schema.secret === true
        ? ` Secret: may also come from a file that \`${key.environmentName}_FILE\` names.`
        : ''),
  ]);
  return table(['key', 'environment', 'takes', 'default', 'meaning'], rows);
}

/** docs/reference/configuration.md */
export function configurationPage(): string {
  const sections = [...new Set(CONFIGURATION_KEYS.map(sectionOf))];
  return [
    GENERATED('src/config/schema.ts'),
    '# Configuration',
    'Every key has a default. A value comes from, in this order, the later winning: the default, a YAML file (`--config FILE` or `DOWNHOLE_CONFIG`), the environment, the command line.',
    'Keys and variables that do not exist are refused, with the one that was probably meant. In the environment a list is written with commas.',
    ...sections.flatMap((section) => [section === '' ? '## General' : `## ${section}`, configurationTable(section)]),
    '',
  ].join('\n\n');
}

/** docs/reference/metrics.md */
export function metricsPage(): string {
  const names = Object.keys(METRICS) as MetricName[];
  const rows = names.map((name) => {
    const { type, help, labels } = METRICS[name];
    return [`\`${name}\``, type, labels.map((label) => `\`${label}\``).join(', '), help];
  });
  return [
    GENERATED('src/monitoring/metrics.ts'),
    '# Metrics',
    '`GET /metrics` answers in the Prometheus text format. Beside these there are the process metrics of Node.js if they are enabled there.',
    table(['metric', 'type', 'labels', 'meaning'], rows),
    'Every record is counted: `received + recovered = stored + merged + duplicate + dead_lettered + rejected + handed over + in flight`, where received is `telemetry_records_received_total`, recovered is `telemetry_records_recovered_total`, handed over is `telemetry_records_handed_over_total`, in flight is `telemetry_records_in_flight`, and the rest are the outcomes of `telemetry_records_total`.',
    '',
  ].join('\n\n');
}

interface EventSource {
  readonly fields: readonly string[];
  readonly metrics: readonly string[];
}

/** What only the source text of events.ts says: the names of the fields, and the metrics that an event moves. */
function readEventSource(source: string, name: EventName): EventSource {
  const start = source.indexOf(`\n  ${name}: event<`);
  if (start < 0) throw new Error(`events.ts does not define ${name} where it is expected`);
  const next = source.slice(start + 1).search(/\n {2}(\w+: event<|\/\/)|\n} as const/);
  const block = source.slice(start, start + 1 + next);
  const named = /event<(\w+)>/.exec(block)?.[1];
  const type =
    named === undefined
      ? (/event<\{([^]*?)\}>/.exec(block)?.[1] ?? '')
      : (new RegExp(`\ntype ${named} = \\{([^]*?)\\};`).exec(source)?.[1] ?? '');
  const moved = [...block.matchAll(/metrics\.\w+\(\s*'(\w+)'/g)].map((match) => match[1] as string);
  if (block.includes('countCodes(')) moved.push('telemetry_rejections_total');
  return { fields: [...type.matchAll(/(\w+)\??:/g)].map((match) => match[1] as string), metrics: [...new Set(moved)] };
}

/** docs/reference/events.md; `source` is the text of src/monitoring/events.ts. */
export function eventsPage(source: string): string {
  const names = Object.keys(EVENTS) as EventName[];
  const code = (words: readonly string[]): string => words.map((word) => `\`${word}\``).join(', ');
  const rows = names.map((name) => {
    const { fields, metrics } = readEventSource(source, name);
    return [`\`${name}\``, EVENTS[name].level, EVENTS[name].message, code(fields), code(metrics)];
  });
  return [
    GENERATED('src/monitoring/events.ts'),
    '# Events',
    'An event is one line of the log (JSON, on stderr; its name is in `event`) and the metrics that go with it.',
    table(['event', 'level', 'message', 'fields', 'metrics'], rows),
    '',
  ].join('\n\n');
}
