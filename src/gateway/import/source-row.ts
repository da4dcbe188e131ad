/** What the readers of the file formats have in common. */

/** A row as the file has it. */
export interface SourceRow {
  readonly names: readonly string[];
  /** As long as `names`: text (CSV), JSON values (NDJSON), or values of the column's type (Parquet). */
  readonly values: readonly unknown[];
  /** Why this cannot be taken apart; then `names` is empty and `text` is the original, shortened where it is huge. */
  readonly problem?: string;
  readonly text?: string;
  /** The line it begins on, or the row's number, from 1. */
  readonly line: number;
  /** Where the next row begins. */
  readonly next: Position;
}

/** A place between two rows from which reading can go on: bytes of (unpacked) text, or rows of a Parquet file. */
export interface Position {
  readonly offset: number;
  readonly line: number;
}

export interface RowSource {
  /** The columns that are known beforehand; undefined for NDJSON, where each row has its own. */
  readonly columns: readonly string[] | undefined;
  /** The rows from a position on, some at a time. Memory is bounded whatever the file holds. */
  rows(from?: Position): AsyncIterable<readonly SourceRow[]>;
  /** How much of the file's bytes were read, 0 … 1, for the progress bar. */
  readShare(): number;
}

export function unreadableRow(problem: string, text: string, line: number, next: Position): SourceRow {
  return { names: [], values: [], problem, text, line, next };
}
