import { describe, expect, it } from 'vitest';
import { fillIn, parseMigration, readMigrations } from '../../src/storage/migration-files.js';

const HEADER = '-- description: something\n-- requires: none\n';

describe('the migrations of the program', () => {
  it('can be read, are numbered without gaps and say what they need', async () => {
    const migrations = await readMigrations();
    expect(migrations.map(({ version }) => version)).toEqual(migrations.map((_, index) => index + 1));
    expect(migrations[0]).toMatchObject({ name: 'telemetry', requires: 'none', transactional: true });
  });

  it('refer to known variables only', async () => {
    for (const { sql } of await readMigrations()) expect(fillIn(sql, { chunkHours: 24 })).not.toContain('{{');
  });
});

describe('parseMigration', () => {
  it('reads number, name and header', () => {
    const text = `${HEADER}-- transaction: none\n--\n-- more: this is prose\nSELECT 1;`;
    expect(parseMigration('0042_some_thing.sql', text)).toMatchObject({
      version: 42,
      name: 'some_thing',
      description: 'something',
      requires: 'none',
      transactional: false,
    });
  });

  it('does not take other line ends for an edit', () => {
    const text = `${HEADER}SELECT 1;\n`;
    expect(parseMigration('0001_a.sql', text.replaceAll('\n', '\r\n')).checksum).toBe(
      parseMigration('0001_a.sql', text).checksum,
    );
  });

  it.each([
    ['1_a.sql', HEADER, 'is not called like'],
    ['0001_a.sql', '-- requires: none\n', 'no description'],
    ['0001_a.sql', '-- description: x\n', '"requires" must be one of'],
    ['0001_a.sql', '-- description: x\n-- requires: some\n', '"requires" must be one of'],
    ['0001_a.sql', `${HEADER}-- transaction: some\n`, 'may only be none'],
    ['0001_a.sql', `${HEADER}-- author: me\n`, 'unknown directive "author"'],
    ['0001_a.sql', `${HEADER}-- requires: none\n`, 'twice'],
  ])('refuses %s with the header %j', (name, text, message) => {
    expect(() => parseMigration(name, text)).toThrow(message);
  });
});

describe('fillIn', () => {
  it('fills in whole numbers only', () => {
    expect(fillIn("INTERVAL '{{chunkHours}} hours'", { chunkHours: 6 })).toBe("INTERVAL '6 hours'");
    expect(() => fillIn('{{chunkHours}}', { chunkHours: 1.5 })).toThrow('{{chunkHours}}');
    expect(() => fillIn('{{other}}', { chunkHours: 1 })).toThrow('{{other}}');
    expect(() => fillIn('{{constructor}}', { chunkHours: 1 })).toThrow('{{constructor}}');
  });
});
