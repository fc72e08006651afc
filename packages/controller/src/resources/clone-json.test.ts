import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { cloneJson } from './clone-json.js';
import { hashOf } from './hash.js';
import { isRecord } from './json.js';

const key = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toString', 'a', 'b'));
const json = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(null, true, false),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string({ unit: 'binary' }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc
      .array(fc.tuple(key, tie('value')), { maxLength: 4 })
      .map((entries): unknown => Object.fromEntries(entries)),
  ),
})).value;
/** As an object comes from a server. */
const parsed = json.map((value) => JSON.parse(JSON.stringify(value)) as unknown);

test('Given any JSON, Then a copy has the same text and shares nothing with it', () => {
  fc.assert(
    fc.property(parsed, (value) => {
      const copy = cloneJson(value);
      expect(JSON.stringify(copy)).toBe(JSON.stringify(value));
      expect(shared(value, copy)).toBe(false);
    }),
  );
});

test('Given any JSON, Then its hash is that of its text with sorted keys, whatever their order', () => {
  fc.assert(
    fc.property(parsed, (value) => {
      expect(hashOf(turned(value))).toBe(hashOf(value));
      expect(hashOf({ ...(isRecord(value) ? value : { value }), more: 1 })).not.toBe(hashOf(value));
    }),
  );
  // Hashes are kept at destinations: another way to the same text must not change them.
  expect(hashOf({ b: [1, { d: null, c: 'ü"\n' }], a: {}, gone: undefined, n: 1e21 })).toBe(
    hashOf(JSON.parse('{"a":{},"b":[1,{"c":"ü\\"\\n","d":null}],"n":1e21}')),
  );
  expect(hashOf({ kind: 'ConfigMap', data: { x: '1', a: [] } })).toBe('61efc0e80320c4f0ac1f10a4');
});

function shared(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return false;
  if (a === b) return true;
  const fields = new Map(Object.entries(b));
  return Object.entries(a).some(([name, field]) => shared(field, fields.get(name)));
}

/** With the fields of each object in the opposite order. */
function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, field]) => [name, turned(field)]),
  );
}
