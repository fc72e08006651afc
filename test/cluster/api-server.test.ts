import { existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ApiClient, ApiError } from './api-client.js';
import { startApiServer } from './index.js';

describe('an API server alone', () => {
  it('starts several times at once, serves, logs and leaves nothing', async () => {
    const servers = await Promise.all([startApiServer({ name: 'one' }), startApiServer({ name: 'two' })]);
    const [one, two] = servers;
    const [clientOne, clientTwo] = [new ApiClient(one.kubeconfig), new ApiClient(two.kubeconfig)];
    try {
      const secret = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 's' },
        stringData: { word: 'tiger' },
      };
      await clientOne.apply('/api/v1/namespaces/default/secrets/s', secret);
      const elsewhere = clientTwo.get('/api/v1/namespaces/default/secrets/s');
      await expect(elsewhere).rejects.toBeInstanceOf(ApiError);

      const log = readFileSync(one.auditLogPath, 'utf8');
      expect(log).toContain('/api/v1/namespaces/default/secrets/s');
      expect(log).not.toContain('tiger');
    } finally {
      clientOne.close();
      clientTwo.close();
      await Promise.all(servers.map((server) => server.stop()));
    }
    expect(existsSync(dirname(one.kubeconfigPath))).toBe(false);
  }, 120_000);
});
