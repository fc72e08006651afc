import { describe, expect, test } from '@jest/globals';

import { outcome } from './testing/outcome.js';

describe('Given the command line', () => {
  test('when asked for its version, it prints it', async () => {
    expect(await outcome(['--version'])).toEqual({ code: 0, out: '0.1.0\n', err: '' });
  });

  test.each([
    ['an option', ['--nonsense'], '--nonsense'],
    ['an option of a command', ['kubeconfig', 'check', '--nonsense', 'x'], '--nonsense'],
    ['a command', ['nonsense'], 'argument'],
    ['a command of a command', ['kubeconfig', 'nonsense'], 'nonsense'],
  ])('when %s is unknown, it says so and ends with 2', async (_what, args, text) => {
    const { code, out, err } = await outcome(args);

    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(text);
  });

  test('when a file is missing, it says which and ends with 1', async () => {
    const { code, out, err } = await outcome(['kubeconfig', 'check', '/nowhere/at/all']);

    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain('/nowhere/at/all');
  });
});
