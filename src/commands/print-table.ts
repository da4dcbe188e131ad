/** Lines and tables on stdout. */

/** What strangers have sent must not steer the terminal. */
function visible(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replaceAll(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '\ufffd');
}

export const printLine = (text: string): void => void process.stdout.write(`${visible(text)}\n`);

/** Columns as wide as their longest cell. */
export function printTable(heads: readonly string[], rows: readonly (readonly string[])[]): void {
  const all = [heads, ...rows];
  const widths = heads.map((_, column) => Math.max(...all.map((cells) => (cells[column] as string).length)));
  for (const cells of all)
    printLine(
      cells
        .map((cell, column) => cell.padEnd(widths[column] as number))
        .join('  ')
        .replaceAll('\n', ' ')
        .trimEnd(),
    );
}
