import { MAX_ID } from '@dr-syncer/api';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseBlock, parseBlocks } from './blocks.js';

describe('parseBlock', () => {
  test.each([
    ['1000690000/10000', 1000690000, 1000699999],
    ['1/1', 1, 1],
    ['1-5', 1, 5],
    ['5-5', 5, 5],
    [' 1/5', 1, 5],
    ['\t1/5', 1, 5],
    ['1/ 5', 1, 5],
    ['1- 5', 1, 5],
    ['1/5 ', 1, 5],
    ['007/010', 7, 16],
    ['0/5', 0, 4],
    ['2147483647/1', MAX_ID, MAX_ID],
  ])('Given %j, Then the ids are %d to %d', (text, start, end) => {
    expect(parseBlock(text)).toEqual({ ok: true, value: { start, end } });
  });

  test.each([
    ['1/0', 'EmptyBlock'],
    ['0/0', 'WrappedBlock'],
    ['4294967295/2', 'WrappedBlock'],
    ['5-1', 'InvertedBlock'],
    ['1/5xyz', 'TrailingText'],
    ['1/5-9', 'TrailingText'],
    ['1-5-9', 'TrailingText'],
    ['1/5\n2/5', 'TrailingText'],
    ['1/5,10/5', 'TrailingText'],
    ['\r1/5', 'OddBlank'],
    ['1/\u00a05', 'OddBlank'],
    ['\u00851-\u20285', 'OddBlank'],
    ['2147483647/2', 'IdTooLarge'],
    ['0-4294967295', 'IdTooLarge'],
    ['4294967295/1', 'IdTooLarge'],
  ])('Given %j, which OpenShift takes, Then it is refused as %s', (text, rule) => {
    expect(parseBlock(text)).toMatchObject({ ok: false, rule });
  });

  test.each([
    '',
    '5',
    '1/',
    '/5',
    'foo',
    '-1/5',
    '+1/5',
    '1 /5',
    '1 - 5',
    '0x10/5',
    '1_000/5',
    '1-5/2',
    '4294967296/2',
    '\n1/5',
    '\ufeff1/5',
    '1\u00a0/5',
    '1.5/2',
    '١/٥',
  ])('Given %j, which OpenShift refuses, Then it is refused', (text) => {
    expect(parseBlock(text)).toMatchObject({ ok: false, rule: 'Syntax' });
  });

  test('Given any text, Then what is accepted is a range of ids of Kubernetes', () => {
    const texts = fc.oneof(
      fc.string(),
      fc.stringMatching(/^[ \t]?\d{1,11}[/-] ?\d{1,11}.?$/),
      fc.tuple(fc.nat(), fc.constantFrom('/', '-'), fc.nat()).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const block = parseBlock(text);
        if (!block.ok) return;
        expect(block.value.start).toBeGreaterThanOrEqual(0);
        expect(block.value.end).toBeGreaterThanOrEqual(block.value.start);
        expect(block.value.end).toBeLessThanOrEqual(MAX_ID);
      }),
    );
  });
});

describe('parseBlocks', () => {
  test('Given blocks of both forms, Then all are there in their order', () => {
    expect(parseBlocks('1/5, 6-10,100/1')).toEqual({
      ok: true,
      value: [
        { start: 1, end: 5 },
        { start: 6, end: 10 },
        { start: 100, end: 100 },
      ],
    });
  });

  test.each(['', '1/5,', ',1/5', '1/5,,6/5', '1/5;6/5'])('Given %j, Then it is refused', (text) => {
    expect(parseBlocks(text).ok).toBe(false);
  });
});
