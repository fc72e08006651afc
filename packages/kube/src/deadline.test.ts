import { getMaxListeners } from 'node:events';

import { describe, expect, test } from '@jest/globals';

import { untilAborted, withDeadline } from './deadline.js';

const done = () => Promise.resolve();
const late = () => new Error('late');

describe('Given a signal that many calls listen to at once', () => {
  test.each<[string, (signal: AbortSignal) => Promise<void>]>([
    ['have a deadline', (signal) => withDeadline(signal, 1_000, late, done)],
    ['wait for one promise', (signal) => untilAborted(done(), signal)],
  ])('When they %s Then Node.js takes more than ten for no leak', async (_name, call) => {
    const { signal } = new AbortController();
    const before = getMaxListeners(signal);
    await call(signal);
    expect([before, getMaxListeners(signal)]).toEqual([10, Infinity]);
  });
});
