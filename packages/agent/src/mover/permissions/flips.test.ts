import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';

import { TestAgent } from '../testing/agent.js';
import { flipWhileWorking } from '../testing/flips.js';

jest.setTimeout(120_000);

describe('Given a tenant who swaps directories and files for links while the agent works in their volume', () => {
  let agent: TestAgent;
  beforeAll(async () => {
    agent = await TestAgent.start();
  });
  afterAll(() => agent.stop());

  test('When transfers and passes go on for some seconds, then nothing outside is changed (30: make test-flips)', async () => {
    const result = await flipWhileWorking(agent, 4);
    expect(result.outsideUntouched).toBe(true);
    expect(result.flips).toBeGreaterThan(1000);
    expect(result.passes).toBeGreaterThan(2);
    expect(result.changed).toBeGreaterThan(100);
  });
});
