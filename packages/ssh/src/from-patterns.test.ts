import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { matchesFrom, parseFromPatterns } from './from-patterns.js';

describe('Given patterns of from=', () => {
  test.each([
    ['10.0.0.1', '10.0.0.1', true],
    ['10.0.0.1', '10.0.0.10', false],
    ['10.0.0.0/8', '10.255.255.255', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['10.0.0.0/9', '10.128.0.0', false],
    ['10.1.2.3/32', '10.1.2.3', true],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['10.0.0.*', '10.0.0.77', true],
    ['10.0.0.*', '10.0.01.7', false],
    ['10.0.0.?', '10.0.0.7', true],
    ['10.0.0.?', '10.0.0.77', false],
    ['1*1', '1.0.0.1', true],
    ['*', '10.0.0.1', true],
    ['*', '2001:db8::1', true],
    ['10.0.0.0/8,!10.1.0.0/16', '10.2.0.1', true],
    ['10.0.0.0/8,!10.1.0.0/16', '10.1.0.1', false],
    ['!10.1.0.0/16,10.0.0.0/8', '10.1.0.1', false],
    ['!10.1.0.0/16', '10.2.0.1', false],
    ['*,!10.0.0.1', '10.0.0.1', false],
    ['10.0.0.1', '::ffff:10.0.0.1', true],
    ['!10.0.0.1,*', '::ffff:10.0.0.1', false],
    ['10.0.*', '::ffff:10.0.0.1', true],
    ['::ffff:10.0.0.1', '10.0.0.1', true],
    ['::ffff:10.0.0.0/104', '10.9.9.9', true],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['2001:db8::1', '2001:0DB8:0:0:0:0:0:1', true],
    ['2001:db8::*', '2001:0db8:0:0:0:0:0:12', true],
    ['2001:DB8::?', '2001:db8::a', true],
    ['fe80::1', 'fe80::1%eth0', true],
    ['::1', '::1', true],
    ['::/0', '10.0.0.1', false],
    ['10.0.0.1, 10.0.0.2', '10.0.0.2', true],
    ['10.0.0.1', 'localhost', false],
    ['*', '', false],
  ])('When %s is asked for %s Then the answer is %s', (patterns, address, answer) => {
    expect(matchesFrom(parseFromPatterns(patterns), address)).toBe(answer);
  });

  test.each([
    '',
    ',',
    '10.0.0.1,',
    '!',
    'host.example.com',
    '*.example.com',
    '!*.evil.example',
    '10.0.0.1/8',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '10.0.0',
    '256.0.0.1',
    '2001:db8::1/64',
    '::/129',
    '10.0.*.0/8',
    'fe80::1%eth0',
    '!!10.0.0.1',
    `10.0.0.1${',10.0.0.1'.repeat(256)}`,
  ])('When %j is read Then it is refused', (text) => {
    expect(() => parseFromPatterns(text)).toThrow(TypeError);
  });

  test('When a block has any prefix Then it contains exactly the addresses that share it', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV4(), fc.nat(32), (one, other, prefix) => {
        const mask = prefix === 0 ? 0 : (~0 << (32 - prefix)) >>> 0;
        const number = (ip: string) => ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
        const base = (number(one) & mask) >>> 0;
        const text = [24, 16, 8, 0].map((shift) => (base >>> shift) & 255).join('.');
        expect(matchesFrom(parseFromPatterns(`${text}/${prefix}`), other)).toBe(
          (number(other) & mask) >>> 0 === base,
        );
      }),
    );
  });

  test('When a wildcard has many stars Then it is answered in no time', () => {
    const started = performance.now();
    expect(matchesFrom(parseFromPatterns(`${'*1'.repeat(100)}x*`.replace('x', '2')), '1'.repeat(3))).toBe(
      false,
    );
    expect(matchesFrom(parseFromPatterns('*1*1*1*1*1*1*1*1*3'), '111.111.111.112')).toBe(false);
    expect(performance.now() - started).toBeLessThan(100);
  });
});
