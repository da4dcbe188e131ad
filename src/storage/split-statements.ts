/** What ends a lexical element that began at a position, so that a semicolon inside it ends no statement. */
function skipElement(sql: string, start: number): number {
  const two = sql.slice(start, start + 2);
  if (two === '--') return endOf(sql, '\n', start + 2);
  if (two === '/*') return skipBlockComment(sql, start);
  const character = sql[start];
  if (character === '"') return endOf(sql, '"', start + 1);
  if (character === "'") return skipString(sql, start);
  if (character === '$') return skipDollarQuoted(sql, start);
  // A whole word at a time: the $ in `a$b$c` starts no quotation.
  const word = WORD.exec(sql.slice(start, start + 128))?.[0];
  return word === undefined ? start + 1 : start + word.length;
}

const WORD = /^[\p{L}_][\p{L}\p{N}_$]*/u;
const DOLLAR_TAG = /^\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$/u;

const endOf = (sql: string, terminator: string, from: number): number => {
  const found = sql.indexOf(terminator, from);
  return found === -1 ? sql.length : found + terminator.length;
};

/** Block comments nest in PostgreSQL. */
function skipBlockComment(sql: string, start: number): number {
  let depth = 1;
  let position = start + 2;
  while (depth > 0 && position < sql.length) {
    const two = sql.slice(position, position + 2);
    if (two === '/*') depth++;
    else if (two === '*/') depth--;
    position += two === '/*' || two === '*/' ? 2 : 1;
  }
  return position;
}

/** In E'…' a backslash escapes; a doubled quote reads as two strings in a row, which comes to the same. */
function skipString(sql: string, start: number): number {
  const escapes = /(?:^|[^\p{L}\p{N}_$])e$/iu.test(sql.slice(Math.max(0, start - 2), start));
  if (!escapes) return endOf(sql, "'", start + 1);
  let position = start + 1;
  while (position < sql.length && sql[position] !== "'") position += sql[position] === '\\' ? 2 : 1;
  return position + 1;
}

function skipDollarQuoted(sql: string, start: number): number {
  const tag = DOLLAR_TAG.exec(sql.slice(start, start + 128))?.[0];
  return tag === undefined ? start + 1 : endOf(sql, tag, start + tag.length);
}

const hasContent = (statement: string): boolean =>
  statement
    .replaceAll(/--[^\n]*/g, '')
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .trim() !== '';

/**
 * Splits a script at its semicolons. Statements sent together would share one transaction, in which `CALL
 * refresh_continuous_aggregate` and `CREATE INDEX CONCURRENTLY` are refused. Not supported: `BEGIN ATOMIC` bodies.
 * @returns the statements without their semicolons; comments stay, empty statements do not
 */
export function splitStatements(sql: string): string[] {
  const statements: string[] = [];
  let start = 0;
  let depth = 0;
  let position = 0;
  while (position < sql.length) {
    const character = sql[position];
    if (character === '(') depth++;
    else if (character === ')') depth--;
    if (character === ';' && depth <= 0) {
      statements.push(sql.slice(start, position));
      start = ++position;
    } else {
      position = skipElement(sql, position);
    }
  }
  statements.push(sql.slice(start));
  return statements.map((statement) => statement.trim()).filter(hasContent);
}
