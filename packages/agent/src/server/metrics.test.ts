import { expect, test } from '@jest/globals';
import { Registry } from 'prom-client';

import { authFailureTable } from './authentication.js';
import { SshMetrics } from './metrics.js';

test('Given an agent that nobody has tried to log in to Then each reason is there with 0', async () => {
  const registry = new Registry();
  new SshMetrics(registry);
  const text = await registry.metrics();

  for (const reason of Object.keys(authFailureTable)) {
    expect(text).toContain(`dr_syncer_ssh_unauthorized_attempts_total{reason="${reason}"} 0\n`);
  }
});
