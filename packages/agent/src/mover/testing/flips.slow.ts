import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';

import { TestAgent } from './agent.js';
import { flipWhileWorking } from './flips.js';

jest.setTimeout(300_000);

const SECONDS = 30;

describe('Given a tenant who swaps directories and files for links as fast as it goes', () => {
  let agent: TestAgent;
  beforeAll(async () => {
    agent = await TestAgent.start();
  });
  afterAll(() => agent.stop());

  test(`When transfers and passes over group and label go on for ${SECONDS} s, then nothing outside is changed`, async () => {
    const result = await flipWhileWorking(agent, SECONDS);
    process.stderr.write(`${JSON.stringify(result)}\n`);
    expect(result.outsideUntouched).toBe(true);
    expect(result.flips).toBeGreaterThan(100_000);
    expect(result.transfers).toBeGreaterThan(5);
    expect(result.passes).toBeGreaterThan(50);
    // The attack is one: a walk by path is led out of the volume by it.
    expect(result.byPath).toBeGreaterThan(0);
  });
});
