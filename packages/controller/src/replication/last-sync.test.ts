import { type KubeClient, type KubeObject, type Resource } from '@dr-syncer/kube';
import { expect, test } from '@jest/globals';

import { type LastSync, writeLastSync } from './last-sync.js';

test.each(['n'.repeat(253), 'short'])(
  'Given two Replications in a namespace, long names, Then each has a key and a manager of its own',
  async (base) => {
    const written: { object: KubeObject; manager: string }[] = [];
    const client = {
      apply: (_resource: Resource, object: KubeObject, options: { fieldManager: string }) => {
        written.push({ object, manager: options.fieldManager });
        return Promise.resolve(object);
      },
    } as unknown as KubeClient;
    const record = (name: string): LastSync => ({
      ...{ replication: `dr-syncer-system/${name}`, result: 'Completed', message: '' },
      ...{ endedAt: '2026-01-01T00:00:00Z', objects: { synced: 1, failed: 0 }, volumes: [] },
    });

    for (const end of ['a', 'b']) {
      await writeLastSync(
        client,
        'shop',
        record(`${base.slice(0, 252)}${end}`),
        new AbortController().signal,
      );
    }

    const keys = written.flatMap(({ object }) => Object.keys(object['data'] as object));
    const managers = written.map(({ manager }) => manager);
    expect(new Set(keys).size).toBe(2);
    expect(new Set(managers).size).toBe(2);
    for (const key of keys) expect(key).toMatch(/^dr-syncer-system\.[\w.-]{1,236}$/);
    for (const manager of managers) expect(manager.length).toBeLessThanOrEqual(128);
  },
);
