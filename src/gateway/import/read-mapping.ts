/** A mapping file, checked: every problem at once, each with its line and what to do about it. */
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Node, type YAMLMap } from 'yaml';
import { CHANNEL_NAMES, CHANNELS, channelIndex, type Channel, type ChannelName } from '../../telemetry/channels.js';
import { OperationalError } from '../../telemetry/operational-error.js';
import { zoneOffset } from '../../telemetry/time-zone.js';
import { findUnit } from '../../telemetry/units.js';
import { MISSING_TEXTS, type ChannelColumn, type DeviceMapping, type Mapping } from './mapping.js';
import { carriesOffset, createTimeReader } from './time-format.js';

const KEYS = ['columns', 'device', 'time', 'constants', 'ignore', 'missing', 'delimiter', 'decimal', 'encoding'];

const DELIMITERS: Readonly<Record<string, string>> = { tab: '\t', comma: ',', semicolon: ';', pipe: '|', space: ' ' };
const TIME_FORMATS = 'rfc3339, epoch-s, epoch-ms, epoch-us, epoch-ns, or a pattern such as yyyy-MM-dd HH:mm:ss';

/**
 * Reads the text of a mapping file.
 * @param file its name, for messages
 * @throws OperationalError `invalid_configuration` that lists every problem as `file:line:column: …`
 */
export function readMapping(text: string, file: string): Mapping {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const faults = [...document.errors, ...document.warnings];
  const problems = faults.map((fault) => `${place(fault.pos[0])}: ${fault.message}; correct the YAML`);
  const reader = new MappingReader(place, problems);
  const mapping = problems.length === 0 ? reader.read(document.contents, file) : undefined;
  if (mapping === undefined || problems.length > 0) {
    throw new OperationalError('invalid_configuration', `The mapping cannot be used:\n  ${problems.join('\n  ')}`);
  }
  return mapping;
}

interface Entry {
  readonly key: string;
  readonly node: Node | null;
  readonly at: string;
}

class MappingReader {
  readonly #place: (offset: number) => string;
  readonly #problems: string[];

  constructor(place: (offset: number) => string, problems: string[]) {
    this.#place = place;
    this.#problems = problems;
  }

  read(root: unknown, file: string): Mapping | undefined {
    if (!isMap(root))
      return this.#problem(`${file}:1:1`, 'the file has no keys; a mapping has at least columns and time');
    const entries = new Map(this.#entries(root, KEYS).map((entry) => [entry.key, entry]));
    const time = entries.get('time');
    const readTime =
      time === undefined
        ? this.#problem(
            `${file}:1:1`,
            'time is missing; say which column it is and how it is written, e.g. time: {column: datetime, format: rfc3339}',
          )
        : this.#time(time);
    const decimal = this.#choice(entries.get('decimal'), { '.': '.', ',': ',' } as const) ?? '.';
    const delimiter = this.#delimiter(entries.get('delimiter'));
    if (decimal === ',' && delimiter === ',')
      this.#problem(
        (entries.get('decimal') as Entry).at,
        'decimal and delimiter are both a comma; one of them must differ',
      );
    const columns = this.#columns(entries.get('columns'), file);
    const device = this.#device(entries.get('device'));
    const constants = this.#constants(entries.get('constants'));
    const ignore = new Set(this.#texts(entries.get('ignore')) ?? []);
    const missing = new Set(this.#texts(entries.get('missing')) ?? MISSING_TEXTS);
    const encoding = this.#choice(entries.get('encoding'), {
      utf8: 'utf8',
      'utf-8': 'utf8',
      latin1: 'latin1',
    } as const);
    for (const [name, { at }] of columns)
      if (ignore.has(name)) this.#problem(at, `column ${name} is mapped and ignored; decide`);
    if (readTime === undefined) return undefined;
    return {
      file,
      columns,
      device,
      time: readTime,
      constants,
      ignore,
      missing,
      delimiter,
      decimal,
      encoding: encoding ?? 'utf8',
      isIdentity: false,
    };
  }

  #problem(at: string, message: string): undefined {
    this.#problems.push(`${at}: ${message}`);
    return undefined;
  }

  /** The entries of a map; keys outside `known` are problems. */
  #entries(map: YAMLMap, known?: readonly string[]): Entry[] {
    return map.items.flatMap((pair) => {
      const keyNode = pair.key as Node;
      const key = String(isScalar(keyNode) ? keyNode.value : keyNode);
      const at = this.#place(keyNode.range?.[0] ?? 0);
      if (known === undefined || known.includes(key)) return [{ key, node: pair.value as Node | null, at }];
      this.#problem(at, `${key} is not known here; there are ${known.join(', ')}`);
      return [];
    });
  }

  #fields(entry: Entry, known: readonly string[]): Map<string, Entry> {
    if (isMap(entry.node)) return new Map(this.#entries(entry.node, known).map((field) => [field.key, field]));
    this.#problem(entry.at, `${entry.key} is not a group of keys; it has ${known.join(', ')}`);
    return new Map();
  }

  #text(entry: Entry | undefined): string | undefined {
    if (entry === undefined) return undefined;
    const value = isScalar(entry.node) ? entry.node.value : undefined;
    if (typeof value === 'string' || typeof value === 'number') return String(value);
    return this.#problem(entry.at, `${entry.key} is not a text`);
  }

  #texts(entry: Entry | undefined): string[] | undefined {
    if (entry === undefined) return undefined;
    const items = isSeq(entry.node) ? entry.node.items : [entry.node];
    return items.flatMap((node) => {
      const value = isScalar(node) ? node.value : undefined;
      if (typeof value === 'string' || typeof value === 'number') return [String(value)];
      this.#problem(entry.at, `${entry.key} is not a list of texts, e.g. [first, second]`);
      return [];
    });
  }

  #choice<T extends string>(entry: Entry | undefined, choices: Readonly<Record<string, T>>): T | undefined {
    const text = this.#text(entry);
    if (entry === undefined || text === undefined) return undefined;
    const choice = Object.hasOwn(choices, text) ? choices[text] : undefined;
    if (choice !== undefined) return choice;
    return this.#problem(entry.at, `${entry.key} is "${text}"; it can be ${Object.keys(choices).join(', ')}`);
  }

  #delimiter(entry: Entry | undefined): string | undefined {
    const text = this.#text(entry);
    if (entry === undefined || text === undefined || text === 'auto') return undefined;
    const delimiter = Object.hasOwn(DELIMITERS, text) ? DELIMITERS[text] : text;
    if (delimiter?.length === 1 && delimiter !== '"' && delimiter !== '\n') return delimiter;
    return this.#problem(
      entry.at,
      `delimiter is "${text}"; it is one character, or auto, ${Object.keys(DELIMITERS).join(', ')}`,
    );
  }

  #columns(entry: Entry | undefined, file: string): Map<string, ChannelColumn> {
    const columns = new Map<string, ChannelColumn>();
    if (entry === undefined) {
      this.#problem(`${file}:1:1`, 'columns is missing; say which columns are which channels');
      return columns;
    }
    if (!isMap(entry.node)) {
      this.#problem(entry.at, 'columns is not a group of keys; write e.g. Current: {channel: motor_current, unit: A}');
      return columns;
    }
    const mappedBy = new Map<ChannelName, string>();
    for (const column of this.#entries(entry.node)) {
      const read = this.#column(column);
      if (read === undefined) continue;
      const other = mappedBy.get(read.channel);
      if (other !== undefined)
        this.#problem(column.at, `${read.channel} is mapped twice, from ${other} and ${column.key}`);
      mappedBy.set(read.channel, column.key);
      columns.set(column.key, read);
    }
    return columns;
  }

  #column(entry: Entry): ChannelColumn | undefined {
    const short = isScalar(entry.node);
    const fields = short ? new Map([['channel', entry]]) : this.#fields(entry, ['channel', 'unit', 'optional']);
    const channelEntry = fields.get('channel');
    const name = this.#text(channelEntry);
    if (channelEntry === undefined)
      return this.#problem(entry.at, `column ${entry.key} names no channel; add channel: …, or list it under ignore`);
    if (name === undefined) return undefined;
    const index = channelIndex(name);
    if (index === undefined)
      return this.#problem(
        channelEntry.at,
        `there is no channel "${name}"; the channels are ${CHANNEL_NAMES.join(', ')}`,
      );
    const channel = CHANNELS[index] as Channel;
    const unit = this.#text(fields.get('unit'));
    if (unit !== undefined && findUnit(channel.quantity, unit) === undefined)
      this.#problem(
        (fields.get('unit') as Entry).at,
        `"${unit}" is not a unit of ${channel.name} (${channel.quantity}); accepted: ${channel.acceptedUnits.join(', ')}`,
      );
    const optional = this.#choice(asText(fields.get('optional')), { true: 'true', false: 'false' } as const) === 'true';
    return { channel: channel.name, unit, optional, at: entry.at };
  }

  #device(entry: Entry | undefined): DeviceMapping | undefined {
    if (entry === undefined) return undefined;
    const fields = this.#fields(entry, ['column', 'constant', 'fromFileName']);
    if (fields.size > 1) return this.#problem(entry.at, 'device has more than one of column, constant, fromFileName');
    const column = this.#text(fields.get('column'));
    if (column !== undefined) return { from: 'column', column, at: entry.at };
    const deviceId = this.#text(fields.get('constant'));
    if (deviceId !== undefined) return { from: 'constant', deviceId, at: entry.at };
    const fileName = fields.get('fromFileName');
    if (fileName === undefined)
      return this.#problem(entry.at, 'device says nothing; give column, constant or fromFileName');
    const parts = this.#fields(fileName, ['pattern', 'template']);
    const pattern = this.#expression(parts.get('pattern') ?? { ...fileName, key: 'pattern', node: null });
    const template = this.#text(parts.get('template')) ?? '$1';
    return pattern === undefined ? undefined : { from: 'fileName', pattern, template, at: entry.at };
  }

  #expression(entry: Entry): RegExp | undefined {
    const text = this.#text(entry);
    if (text === undefined) return undefined;
    try {
      return new RegExp(text, 'u');
    } catch (error) {
      // The constructor throws nothing but SyntaxError.
      return this.#problem(entry.at, `pattern is not a regular expression: ${(error as SyntaxError).message}`);
    }
  }

  #time(entry: Entry): Mapping['time'] | undefined {
    const fields = this.#fields(entry, ['column', 'format', 'zone']);
    const column = this.#text(fields.get('column'));
    const format = this.#text(fields.get('format')) ?? 'rfc3339';
    const zoneName = this.#text(fields.get('zone'));
    if (column === undefined) return this.#problem(entry.at, 'time names no column; add column: …');
    const zone = zoneName === undefined ? undefined : zoneOffset(zoneName);
    if (zoneName !== undefined && zone === undefined)
      return this.#problem(
        (fields.get('zone') as Entry).at,
        `"${zoneName}" is no zone; write UTC, an offset (+03:00) or an IANA name (America/Chicago)`,
      );
    const read = createTimeReader(format, zone);
    if (read === undefined)
      return this.#problem(
        (fields.get('format') as Entry).at,
        `"${format}" is no time format; there are ${TIME_FORMATS}`,
      );
    if (zone === undefined && !carriesOffset(format))
      return this.#problem(
        entry.at,
        `times written as ${format} have no offset; add zone: UTC, or the zone they are in`,
      );
    return { column, read, at: entry.at };
  }

  #constants(entry: Entry | undefined): Record<string, string | number> {
    if (entry === undefined) return {};
    if (!isMap(entry.node)) {
      this.#problem(entry.at, 'constants is not a group of keys; write e.g. source_system: historian');
      return {};
    }
    const constants = Object.create(null) as Record<string, string | number>;
    for (const { key, node, at } of this.#entries(entry.node)) {
      const value = isScalar(node) ? node.value : undefined;
      if (key === 'device_id' || key === 'timestamp') this.#problem(at, `${key} is no constant; use device and time`);
      else if (typeof value === 'string' || typeof value === 'number') constants[key] = value;
      else this.#problem(at, `constant ${key} is neither a text nor a number`);
    }
    return constants;
  }
}

/** `true` of YAML as a text. */
function asText(entry: Entry | undefined): Entry | undefined {
  if (entry === undefined || !isScalar(entry.node) || typeof entry.node.value !== 'boolean') return entry;
  const node = entry.node.clone() as typeof entry.node;
  node.value = String(node.value);
  return { ...entry, node };
}
