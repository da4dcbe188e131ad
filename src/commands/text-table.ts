/** Rows as columns of text, for a terminal and for `awk`. What strangers named may hold anything: it becomes one line. */

/** @param isFigure which columns stand to the right; default none */
export function textTable(
  rows: readonly (readonly string[])[],
  isFigure: (column: number) => boolean = () => false,
): string {
  const cells = rows.map((row) => row.map(printable));
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  return cells
    .map(
      (row) =>
        `${row
          .map((cell, column) =>
            isFigure(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
          )
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const printable = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
