/**
 * Rows of a CSV file. A broken row costs itself and no other: a quote that is never closed ends with its line
 * instead of swallowing the rest of the file.
 */
import { isUtf8 } from 'node:buffer';
import { OperationalError } from '../../telemetry/operational-error.js';
import { columnNames, detectDelimiter, splitCells } from './csv-cells.js';
import type { Mapping } from './mapping.js';
import { unreadableRow, type Position, type RowSource, type SourceRow } from './source-row.js';
import type { TextFile, TextLine } from './text-lines.js';

/** Lines that one quoted record may span. */
const MAX_RECORD_LINES = 32;

interface Header {
  readonly columns: readonly string[];
  readonly delimiter: string;
  readonly next: Position;
}

/**
 * Opens a CSV file and reads its header.
 * @param wanted the columns that somebody looks for: they tell the delimiter
 * @throws OperationalError `file_unreadable`
 */
export async function openCsv(file: TextFile, mapping: Mapping, wanted: ReadonlySet<string>): Promise<RowSource> {
  const header = await readHeader(file, mapping, wanted);
  return {
    columns: header.columns,
    rows: (from = header.next) => readRows(file, mapping, header, from),
    readShare: () => file.readShare(),
  };
}

async function readHeader(file: TextFile, mapping: Mapping, wanted: ReadonlySet<string>): Promise<Header> {
  for await (const lines of file.lines()) {
    for (const line of lines) {
      if (isBlank(line)) continue;
      const problem = headerProblem(line);
      if (problem !== undefined) throw new OperationalError('file_unreadable', `${file.path}: ${problem}`);
      const text = decode(line.bytes, isUtf8(line.bytes) ? mapping.encoding : 'latin1').replace(/^\uFEFF/, '');
      const delimiter = mapping.delimiter ?? detectDelimiter(text, wanted);
      const cells = splitCells(text, delimiter);
      if (typeof cells === 'string')
        throw new OperationalError(
          'file_unreadable',
          `${file.path}:${line.line}: the quotes of the header do not match; correct it`,
        );
      return { columns: columnNames(cells), delimiter, next: { offset: line.nextOffset, line: line.line + 1 } };
    }
  }
  throw new OperationalError(
    'file_unreadable',
    `${file.path} is empty; a CSV file begins with the names of its columns`,
  );
}

function headerProblem({ bytes, omittedBytes }: TextLine): string | undefined {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))
    return 'the file is UTF-16; save it as UTF-8';
  if (bytes.includes(0) || omittedBytes > 0) return 'the file is binary, not CSV; is it packed, or of another format?';
  return undefined;
}

const isBlank = ({ bytes }: TextLine): boolean => bytes.every((byte) => byte === 0x20 || byte === 0x09);

const decode = (bytes: Buffer, encoding: Mapping['encoding']): string => bytes.toString(encoding);

async function* readRows(
  file: TextFile,
  mapping: Mapping,
  header: Header,
  from: Position,
): AsyncGenerator<readonly SourceRow[]> {
  const splitter = new RowSplitter(mapping, header);
  for await (const lines of file.lines(from.offset, from.line)) {
    const rows = splitter.take(lines, false);
    if (rows.length > 0) yield rows;
  }
  yield splitter.take([], true);
}

/** Lines → rows. Lines of a record that goes on are held until it ends, at most MAX_RECORD_LINES of them. */
class RowSplitter {
  readonly #mapping: Mapping;
  readonly #header: Header;
  #held: TextLine[] = [];

  constructor(mapping: Mapping, header: Header) {
    this.#mapping = mapping;
    this.#header = header;
  }

  take(lines: readonly TextLine[], isEnd: boolean): SourceRow[] {
    const all = this.#held.length === 0 ? lines : [...this.#held, ...lines];
    const rows: SourceRow[] = [];
    let at = 0;
    while (at < all.length) {
      const line = all[at] as TextLine;
      if (isBlank(line)) {
        at++;
        continue;
      }
      const text = this.#text(line);
      if (typeof text !== 'string') {
        rows.push(text);
        at++;
        continue;
      }
      const cells = splitCells(text, this.#header.delimiter);
      if (cells !== 'open') {
        rows.push(this.#row(cells, text, line, line));
        at++;
        continue;
      }
      const joined = this.#join(all, at, text);
      if (joined === undefined && !isEnd && all.length - at < MAX_RECORD_LINES) break;
      rows.push(joined?.row ?? unreadableRow('a quote is not closed', text, line.line, after(line)));
      at += joined?.lines ?? 1;
    }
    this.#held = all.slice(at);
    return rows;
  }

  /** The record that begins on a line and ends on a later one, if it does and has as many cells as the header. */
  #join(all: readonly TextLine[], from: number, first: string): { row: SourceRow; lines: number } | undefined {
    let text = first;
    for (let at = from + 1; at < Math.min(all.length, from + MAX_RECORD_LINES); at++) {
      const line = all[at] as TextLine;
      const next = this.#text(line);
      if (typeof next !== 'string') return undefined;
      text += `\n${next}`;
      const cells = splitCells(text, this.#header.delimiter);
      if (cells === 'open') continue;
      if (cells === 'malformed' || cells.length !== this.#header.columns.length) return undefined;
      return { row: this.#row(cells, text, all[from] as TextLine, line), lines: at - from + 1 };
    }
    return undefined;
  }

  /** The line as text, or as the row that cannot be read. */
  #text(line: TextLine): string | SourceRow {
    const bad = (problem: string): SourceRow =>
      unreadableRow(problem, line.bytes.toString('latin1'), line.line, after(line));
    if (line.omittedBytes > 0)
      return bad(`the line has ${line.bytes.length + line.omittedBytes} bytes; only its beginning is kept`);
    if (line.bytes.includes(0)) return bad('the line has binary characters');
    if (this.#mapping.encoding === 'utf8' && !isUtf8(line.bytes))
      return bad('the line is not UTF-8; if the file is in Windows or Latin characters, map encoding: latin1');
    return decode(line.bytes, this.#mapping.encoding);
  }

  #row(cells: string[] | 'malformed', text: string, first: TextLine, last: TextLine): SourceRow {
    const { columns } = this.#header;
    if (cells === 'malformed') return unreadableRow('something follows a closing quote', text, first.line, after(last));
    // Many exporters end each line with a delimiter.
    while (cells.length > columns.length && cells.at(-1) === '') cells.pop();
    if (cells.length !== columns.length) {
      const problem = `${cells.length} cells where the header has ${columns.length}`;
      return unreadableRow(problem, text, first.line, after(last));
    }
    return { names: columns, values: cells, line: first.line, next: after(last) };
  }
}

const after = (line: TextLine): Position => ({ offset: line.nextOffset, line: line.line + 1 });
