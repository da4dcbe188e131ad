import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolveConfig } from '../../src/config/load-config.js';
import { maskSecret } from '../../src/config/secrets.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

describe('a secret that is shown', () => {
  it.each([
    ['', ''],
    ['postgres://ada:secret@db:5432/t?sslmode=require', 'postgres://ada:***@db:5432/t?sslmode=require'],
    ['postgres://db/t?user=ada&password=secret', 'postgres://db/t?user=ada&password=***'],
    ['rediss://:secret@cache', 'rediss://:***@cache'],
    ['amqp://mq.example/vhost', 'amqp://mq.example/vhost'],
    ['secret', '***'],
    ['postgres://ada:se/cret@db/t', '***'],
    ['postgres://ada:12/cret@db/t', '***'],
    ['postgres://ada:1?cret@db/t', '***'],
    ['postgres://ada:1#cret@db/t', '***'],
    ['postgres:secret', '***'],
  ])('%j is %j', (value, shown) => expect(maskSecret(value)).toBe(shown));

  it('never contains the password of a URL, and always its host', () => {
    const password = fc.stringMatching(/^[!-~]{8,20}$/).filter((text) => !text.includes('%'));
    fc.assert(
      fc.property(fc.constantFrom('postgres', 'amqps', 'redis'), password, fc.boolean(), (protocol, text, encoded) => {
        const shown = maskSecret(`${protocol}://u:${encoded ? encodeURIComponent(text) : text}@db.example:5432/x`);
        expect(shown).not.toContain(text);
        if (encoded) expect(shown).toBe(`${protocol}://u:***@db.example:5432/x`);
      }),
    );
  });
});

describe('a configuration file', () => {
  const warningsOf = (text: string, mode: number): readonly string[] => {
    const file = join(temporaryDirectory('config'), 'downhole.yaml');
    writeFileSync(file, text);
    chmodSync(file, mode);
    return resolveConfig({ file, environment: {} }).warnings;
  };

  it('with a password that everybody can read is warned of, and how to change that', () => {
    const [warning, ...more] = warningsOf(
      'database: {url: "postgres://ada:secret@db/t"}\nqueue: {url: "amqp://q"}\n',
      0o644,
    );
    expect(warning).toMatch(/downhole\.yaml holds secrets \(database\.url\) .* chmod o-r .*downhole\.yaml/);
    expect([warning?.includes('secret@'), more]).toEqual([false, []]);
  });

  it.each([
    ['that only its owner and group can read', 'database: {url: "postgres://ada:secret@db/t"}', 0o640],
    ['without passwords', 'database: {url: "postgres://db/t"}\nhttp: {port: 1}', 0o644],
  ])('%s is fine', (_, text, mode) => expect(warningsOf(text, mode)).toEqual([]));
});
