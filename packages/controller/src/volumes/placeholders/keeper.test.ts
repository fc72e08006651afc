import type { KubeClient, ListOptions } from '@dr-syncer/kube';
import { createLogger } from '@dr-syncer/runtime';
import { expect, jest, test } from '@jest/globals';

import type { Pod } from '../pods.js';
import { PlaceholderKeeper } from './keeper.js';

const { signal } = new AbortController();

const placeholder: Pod = {
  ...{ apiVersion: 'v1', kind: 'Pod', spec: {}, status: { phase: 'Running' } },
  metadata: { name: 'hold', namespace: 'shop', uid: 'u', labels: { 'dr-syncer.io/placeholder-for': 'x' } },
};

/** A cluster with these pods, which counts how often it is asked for them. */
function cluster(pods: Pod[]) {
  const list = jest.fn((_resource: unknown, { fieldSelector }: ListOptions) =>
    Promise.resolve({ items: fieldSelector === undefined ? pods : [] }),
  );
  return { pods, list, client: { list } as unknown as KubeClient };
}

function keeperOf(...clusters: ReturnType<typeof cluster>[]): PlaceholderKeeper {
  const places = () => clusters.map(({ client }) => ({ client, namespaces: () => [] }));
  const logger = createLogger('error', { component: 'test' });
  return new PlaceholderKeeper({ places, owner: 'source', ttlMs: 60_000, logger });
}

test('Given a cluster without placeholders, when it is looked after, then it is asked once until one is made there', async () => {
  const none = cluster([]);
  const some = cluster([placeholder]);
  const keeper = keeperOf(none, some);

  for (let i = 0; i < 3; i += 1) await keeper.sweep(signal);

  expect(none.list).toHaveBeenCalledTimes(1);
  expect(some.list).toHaveBeenCalledTimes(6);
  keeper.made(none.client);
  none.pods.push(placeholder);
  await keeper.sweep(signal);
  await keeper.sweep(signal);
  expect(none.list).toHaveBeenCalledTimes(5);
});
