import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitStatements } from '../../src/storage/split-statements.js';

describe('splitStatements', () => {
  it.each<[string, string[]]>([
    ['', []],
    [' ;; ; -- only a comment\n /* ; */ ', []],
    ['SELECT 1', ['SELECT 1']],
    ['SELECT 1; SELECT 2;', ['SELECT 1', 'SELECT 2']],
    [`SELECT 'it''s;'; SELECT 2`, [`SELECT 'it''s;'`, 'SELECT 2']],
    [String.raw`SELECT E'\';', 'a\'; SELECT 2`, [String.raw`SELECT E'\';', 'a\'`, 'SELECT 2']],
    ['SELECT ";" FROM t; SELECT 2', ['SELECT ";" FROM t', 'SELECT 2']],
    ['SELECT $$a;$b$;$$; SELECT $b$;$$;$b$', ['SELECT $$a;$b$;$$', 'SELECT $b$;$$;$b$']],
    ['SELECT a$b$c; SELECT $1', ['SELECT a$b$c', 'SELECT $1']],
    ['SELECT 1 -- a; b\n; SELECT 2', ['SELECT 1 -- a; b', 'SELECT 2']],
    ['SELECT /* ; /* ; */ ; */ 1; SELECT 2', ['SELECT /* ; /* ; */ ; */ 1', 'SELECT 2']],
    [
      'CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3',
      ['CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)', 'SELECT 3'],
    ],
  ])('%j', (sql, statements) => {
    expect(splitStatements(sql)).toEqual(statements);
  });

  it('ends on any text', () => {
    const noise = fc.string({
      unit: fc.constantFrom("'", '"', '$', ';', '-', '/', '*', '\\', 'e', 'a', '(', ')', '\n', ' '),
    });
    fc.assert(
      fc.property(noise, (sql) => {
        for (const statement of splitStatements(sql)) expect(sql).toContain(statement);
      }),
    );
  });
});
