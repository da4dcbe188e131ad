import fc from 'fast-check';
import { expect, it } from 'vitest';
import { memberSpan } from '../../src/telemetry/json-bytes.js';

const value = fc.oneof(
  fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' }),
  fc.constantFrom('"', ':', ',', '}', '{"a":1', String.raw`\"`),
);
const name = fc.constantFrom('a', 'b', 'ü', '', ':');

it('finds the bytes of the member that JSON.parse takes', () => {
  const members = fc.array(fc.tuple(name, value, fc.constantFrom('', ' ', '\n\t')));
  fc.assert(
    fc.property(members, name, (given, wanted) => {
      const text = given.map(([key, item, space]) =>
        [JSON.stringify(key), JSON.stringify(item)].join(`${space}:${space}`),
      );
      const bytes = Buffer.from(` {${text.join(' , ')} }`);
      const parsed = new Map(given.map(([key, item]) => [key, JSON.stringify(item)]));
      const span = memberSpan(bytes, wanted);
      expect(span && bytes.toString('utf8', ...span)).toBe(parsed.get(wanted));
    }),
  );
});

it('knows names however they are written, and looks no deeper', () => {
  expect(memberSpan(Buffer.from(String.raw`{"\u0061":1}`), 'a')).toEqual([10, 11]);
  expect(memberSpan(Buffer.from('{"b":{"a":1},"c":[{"a":2}]}'), 'a')).toBeUndefined();
});
