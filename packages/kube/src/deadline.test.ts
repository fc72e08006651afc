import { getMaxListeners } from 'node:events';

import { describe, expect, test } from '@jest/globals';

import { withDeadline } from './deadline.js';

describe('Given a signal that many calls listen to at once', () => {
  test('When there are more than ten Then Node.js takes them for no leak', async () => {
    const { signal } = new AbortController();
    const before = getMaxListeners(signal);
    await withDeadline(
      signal,
      1_000,
      () => new Error('late'),
      () => Promise.resolve(),
    );
    expect([before, getMaxListeners(signal)]).toEqual([10, Infinity]);
  });
});
