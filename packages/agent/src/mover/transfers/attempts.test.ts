import { DrError } from '@dr-syncer/api';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { withAttempts } from './attempts.js';
import { backOffMs } from './back-off.js';
import type { PushEnd } from './push.js';

const unreachable: PushEnd = { vanished: 0, error: new DrError('AgentUnreachable', 'no'), transient: true };
const refused: PushEnd = { vanished: 0, error: new DrError('GrantNotFound', 'no'), transient: false };
const good: PushEnd = { vanished: 0, exitCode: 0 };

describe('Given attempts', () => {
  const run = async (ends: PushEnd[], attempts = 9, totalTimeoutSeconds = 0) => {
    const said: string[] = [];
    const end = await withAttempts(
      {
        attempts,
        totalTimeoutSeconds,
        run: () => Promise.resolve(ends.shift() ?? good),
        onAttempt: (attempt) => said.push(`attempt ${attempt}`),
        onWaiting: ({ code }) => said.push(code),
      },
      new AbortController().signal,
    );
    return { end, said };
  };

  test('When one fails for a cause that may pass, then another follows', async () => {
    expect(await run([unreachable])).toEqual({ end: good, said: ['AgentUnreachable', 'attempt 2'] });
  });

  test('When one fails for another cause, then that is the end', async () => {
    expect(await run([refused])).toEqual({ end: refused, said: [] });
  });

  test('When there has been the last, then its failure is the end', async () => {
    expect(await run([unreachable, unreachable], 1)).toEqual({ end: unreachable, said: [] });
  });

  test('When the total time is over between two, then that is why it ended', async () => {
    const { end } = await run([unreachable, unreachable, unreachable], 9, 1);
    expect(end.error?.code).toBe('Timeout');
  });

  test('When failures go on, then waits double up to a minute, spread by a quarter', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (n, random) => {
          const full = Math.min(60_000, 1_000 * 2 ** (n - 1));
          const wait = backOffMs(n, random);
          expect(wait).toBeGreaterThanOrEqual(Math.floor(full * 0.75));
          expect(wait).toBeLessThanOrEqual(Math.ceil(full * 1.25));
        },
      ),
    );
  });
});
