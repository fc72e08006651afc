import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { ChangeLogReader } from './change-log.js';

/** As rsync writes a name into its log: control characters, and a backslash where it could be taken for such. */
function escaped(name: Buffer): string {
  const text = name.toString('latin1').replace(/\\(?=#\d{3})/g, '\\#134');
  const octal = (c: string) => `\\#${c.charCodeAt(0).toString(8).padStart(3, '0')}`;
  return text.replace(/[^ -\xff]/g, octal);
}

function reading(...lines: ((word: string) => string)[]): { names: string[]; broken: boolean } {
  const names: string[] = [];
  const reader = new ChangeLogReader((name) => names.push(name));
  const word = reader.format.slice(0, 24);
  for (const line of lines) reader.push(Buffer.from(`${line(word)}\n`, 'latin1'));
  reader.end();
  return { names, broken: reader.broken };
}

const entry = (item: string, name: string) => (word: string) =>
  `2026/11/21 09:57:38 [19623] ${word}${item} ${name}//`;

describe('Given the log of a receiving rsync', () => {
  test('When it is of entries, then these are their names', () => {
    expect(
      reading(
        () => '2026/11/21 09:57:38 [19623] receiving file list',
        entry('cL+++++++++', 'link'),
        entry('>f+++++++++', 'new\\#012line'),
        entry('>f+++++++++', '\xff weird #\\#134#012'),
        entry('cd+++++++++', 'd/'),
        entry('.d..tp.....', './'),
        entry('hf+++++++++', ' hard '),
        entry('*deleting  ', 'gone'),
        () => '2026/11/21 09:57:38 [19623] sent 117 bytes  received 430 bytes  total size 20',
      ),
    ).toEqual({ names: ['link', 'new\nline', '\xff weird #\\#012', 'd', '.', ' hard '], broken: false });
  });

  test.each([
    ['a line is cut off', (word: string) => `x ${word}>f+++++++++ na`],
    ['an item is none', (word: string) => `x ${word}>f na//`],
  ])('When %s, then it counts as broken', (_, line) => {
    expect(reading(line)).toEqual({ names: [], broken: true });
  });

  test('When a line does not end, then it counts as broken and costs no memory', () => {
    const reader = new ChangeLogReader(() => undefined);
    for (let i = 0; i < 100; i++) reader.push(Buffer.alloc(10_000, 65));
    expect(reader.broken).toBe(true);
  });

  test('When a name says that it is a line, then it is a name', () => {
    const forged = '2026/11/21 09:57:38 [19623] 000000000000000000000000>f+++++++++ etc';
    expect(reading(entry('>f+++++++++', forged)).names).toEqual([forged]);
  });

  test('When names are any bytes and come in any pieces, then they are the same bytes', () => {
    const byte = fc.integer({ min: 1, max: 255 }).filter((c) => c !== 47);
    const name = fc
      .array(byte, { minLength: 1, maxLength: 40 })
      .map((bytes) => Buffer.from(bytes))
      .filter((b) => !['.', '..'].includes(b.toString('latin1')));
    fc.assert(
      fc.property(fc.array(name, { maxLength: 8 }), fc.integer({ min: 1, max: 50 }), (names, piece) => {
        const got: string[] = [];
        const reader = new ChangeLogReader((n) => got.push(n));
        const word = reader.format.slice(0, 24);
        const log = Buffer.from(
          names.map((n) => `${entry('>f+++++++++', escaped(n))(word)}\n`).join(''),
          'latin1',
        );
        for (let at = 0; at < log.length; at += piece) reader.push(log.subarray(at, at + piece));
        reader.end();
        expect(got).toEqual(names.map((n) => n.toString('latin1')));
        expect(reader.broken).toBe(false);
      }),
    );
  });
});
