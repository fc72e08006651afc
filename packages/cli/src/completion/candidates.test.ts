import { describe, expect, test } from '@jest/globals';

import { makeProgram } from '../program.js';
import { nowhere } from '../reference/nowhere.js';
import { complete, FILES, flagsIn, type LiveNames } from './candidates.js';

const names: LiveNames = {
  replications: () => Promise.resolve(['shop', 'bank']),
  remoteClusters: () => Promise.resolve(['standby']),
  namespaces: () => Promise.resolve(['default', 'shop']),
  contexts: () => Promise.resolve(['production', 'standby']),
};

async function values(...words: string[]): Promise<unknown> {
  const found = await complete(makeProgram(nowhere), words, names);
  return found === FILES ? found : found.map(({ value }) => value);
}

describe('Given a command line that is being typed', () => {
  test.each<[string[], unknown]>([
    [['sta'], ['status']],
    [['rotate'], ['rotate-keys']],
    [
      ['kubeconfig', ''],
      ['check', 'create'],
    ],
    [['kubeconfig', 'cr'], ['create']],
    [
      ['sync', ''],
      ['shop', 'bank'],
    ],
    [['sync', 'shop', ''], ['bank']],
    [['sync', '-n', 'x', 's'], ['shop']],
    [['status', 'shop', ''], []],
    [['rotate-keys', ''], ['standby']],
    [
      ['sync', '-n', ''],
      ['default', 'shop'],
    ],
    [['sync', '--context', 'p'], ['production']],
    [
      ['sync', '--wait', ''],
      ['shop', 'bank'],
    ],
    [
      ['status', '-o', ''],
      ['table', 'json', 'yaml'],
    ],
    [['status', '--output=j'], []],
    [['sync', '--wa'], ['--wait']],
    [['status', '--kubeconfig', ''], FILES],
    [['kubeconfig', 'check', ''], FILES],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish', 'kubectl'],
    ],
    [['__complete'], []],
  ])('When %j is there Then %j can follow', async (words, expected) => {
    expect(await values(...words)).toEqual(expected);
  });

  test('When the first word is begun Then every command of the help text can follow, and no other', async () => {
    const found = await values('');

    expect(found).toEqual(expect.arrayContaining(['status', 'sync', 'doctor', 'failover', 'completion']));
    expect(found).not.toContain('__complete');
  });

  test('When flags name another cluster Then names are asked from that one', () => {
    expect(flagsIn(['sync', '--context=a', '-n', 'x', '--context', 'b'])).toEqual({
      context: 'b',
      namespace: 'x',
    });
  });
});
