import { describe, expect, test } from '@jest/globals';

import { run } from './program.js';

async function outcome(...args: string[]) {
  const written = { out: '', err: '' };
  const code = await run(args, {
    out: (text) => void (written.out += text),
    err: (text) => void (written.err += text),
  });
  return { code, ...written };
}

describe('Given the command line', () => {
  test('when asked for its version, it prints it', async () => {
    expect(await outcome('--version')).toEqual({ code: 0, out: '0.1.0\n', err: '' });
  });

  test('when an option is unknown, it says so and ends with 2', async () => {
    const { code, err } = await outcome('--nonsense');

    expect(code).toBe(2);
    expect(err).toContain('--nonsense');
  });
});
