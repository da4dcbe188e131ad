/** Rows of an NDJSON file: a JSON object a line. */
import { isUtf8 } from 'node:buffer';
import { unreadableRow, type Position, type RowSource, type SourceRow } from './source-row.js';
import type { TextFile, TextLine } from './text-lines.js';

/** Deeper nesting is no telemetry, and would cost every later reader its stack. */
const MAX_DEPTH = 64;

export function openNdjson(file: TextFile): RowSource {
  return {
    columns: undefined,
    rows: (from = { offset: 0, line: 1 }) => readRows(file, from),
    readShare: () => file.readShare(),
  };
}

async function* readRows(file: TextFile, from: Position): AsyncGenerator<readonly SourceRow[]> {
  for await (const lines of file.lines(from.offset, from.line)) {
    const rows = lines.map(readRow).filter((row) => row !== undefined);
    if (rows.length > 0) yield rows;
  }
}

function readRow(line: TextLine): SourceRow | undefined {
  const next = { offset: line.nextOffset, line: line.line + 1 };
  const bad = (problem: string): SourceRow => unreadableRow(problem, line.bytes.toString('latin1'), line.line, next);
  if (line.omittedBytes > 0)
    return bad(`the line has ${line.bytes.length + line.omittedBytes} bytes; only its beginning is kept`);
  if (!isUtf8(line.bytes)) return bad('the line is not UTF-8');
  const text = line.bytes.toString('utf8').replace(/^\uFEFF/, '');
  if (text.trim() === '') return undefined;
  if (isDeep(text)) return bad(`nested deeper than ${MAX_DEPTH} levels`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // JSON.parse throws nothing but SyntaxError.
    return unreadableRow(`not JSON: ${(error as SyntaxError).message.slice(0, 160)}`, text, line.line, next);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return unreadableRow('not a JSON object', text, line.line, next);
  return { names: Object.keys(value), values: Object.values(value), line: line.line, next };
}

/** Whether brackets nest beyond the limit; those inside of strings count too, which refuses only what is odd anyway. */
function isDeep(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x7b || code === 0x5b) {
      if (++depth > MAX_DEPTH) return true;
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
  return false;
}
