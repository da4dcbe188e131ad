/** One CSV record → its cells (RFC 4180). */

const QUOTE = '"';

/**
 * Takes a record apart. A quote inside a cell that did not begin with one is a character like any other (`5" pipe`).
 * @returns the cells; `open` when a quoted cell is not closed, so that the record may go on in the next line;
 * `malformed` when something follows a closing quote
 */
export function splitCells(text: string, delimiter: string): string[] | 'open' | 'malformed' {
  if (!text.includes(QUOTE)) return text.split(delimiter);
  const cells: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] !== QUOTE) {
      const end = text.indexOf(delimiter, at);
      cells.push(end < 0 ? text.slice(at) : text.slice(at, end));
      if (end < 0) return cells;
      at = end + 1;
      continue;
    }
    let cell = '';
    at++;
    for (;;) {
      const end = text.indexOf(QUOTE, at);
      if (end < 0) return 'open';
      cell += text.slice(at, end);
      at = end + 1;
      if (text[at] !== QUOTE) break;
      cell += QUOTE; // a doubled quote is one
      at++;
    }
    cells.push(cell);
    if (at === text.length) return cells;
    if (text[at] !== delimiter) return 'malformed';
    at++;
  }
}

const CANDIDATES = [',', ';', '\t', '|'] as const;

/** The delimiter of a header: the one under which most of the wanted columns are found, and of those the commonest. */
export function detectDelimiter(header: string, wanted: ReadonlySet<string>): string {
  let best: string = ',';
  let bestScore = -1;
  for (const delimiter of CANDIDATES) {
    const cells = splitCells(header, delimiter);
    if (typeof cells === 'string') continue;
    const score = cells.filter((cell) => wanted.has(cell.trim())).length * 10_000 + Math.min(cells.length, 9999);
    if (score > bestScore) {
      best = delimiter;
      bestScore = score;
    }
  }
  return best;
}

/** Column names as they are used: trimmed, never empty, each once. */
export function columnNames(header: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return header.map((cell, index) => {
    const name = cell.trim() === '' ? `column_${index + 1}` : cell.trim();
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    return times === 1 ? name : `${name}_${times}`;
  });
}
