import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { fenceDigest, parseFence, renderFence } from './fence.js';

const name = fc.stringMatching(/^[a-z0-9]{1,8}$/);

describe('Given volumes to fence', () => {
  test('When they are written Then each stands on a line under its namespace', () => {
    const text = renderFence(
      new Map([
        ['shop', ['pv-b', 'pv-a', 'pv-b']],
        ['bank', ['pv-c']],
        ['empty', []],
      ]),
    );

    expect(text).toBe('# namespace bank\npv-c\n# namespace shop\npv-a\npv-b\n');
  });

  test('When they are written and read Then they are the same', () => {
    fc.assert(
      fc.property(fc.dictionary(name, fc.uniqueArray(name, { minLength: 1 })), (volumes) => {
        const sorted = Object.entries(volumes).map(([key, names]) => [key, [...names].sort()] as const);
        expect(parseFence(renderFence(new Map(sorted)))).toEqual(new Map(sorted));
      }),
    );
  });

  test('When somebody wrote lines by hand Then they are kept', () => {
    expect(renderFence(parseFence('pv-x\n# a note\n').set('shop', ['pv-a']))).toContain('pv-x');
  });

  test('Then the digest is that of the set, whatever the order', () => {
    expect(fenceDigest('pv-a\npv-b\n')).toBe(fenceDigest('# namespace x\npv-b\n\npv-a\npv-a'));
    // What the agent shows for nothing fenced: the first half of SHA-256 of nothing, see fence.ts of the agent.
    expect(fenceDigest('')).toBe('e3b0c44298fc1c14');
  });
});
