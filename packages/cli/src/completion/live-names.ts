import { readFile } from 'node:fs/promises';

import { remoteClusters, replications } from '@dr-syncer/controller';
import { type Resource, wellKnown } from '@dr-syncer/kube';
import { parse } from 'yaml';

import { type ClusterFlags, kubeconfigFiles, withCluster } from '../cluster-flags.js';
import type { Surroundings } from '../surroundings.js';
import type { LiveNames } from './candidates.js';

/** A person waits with a finger on the key. */
const TIMEOUT_MS = 3_000;

/** Names from the cluster and the kubeconfig; none where they can't be asked for. */
export function liveNames(around: Surroundings, flags: ClusterFlags): LiveNames {
  const signal = AbortSignal.any([around.signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const list = async (resource: Resource): Promise<string[]> => {
    try {
      return await withCluster({ ...quiet(around), signal }, flags, async ({ client, namespace }) => {
        const within = resource.namespaced ? { namespace } : {};
        const { items } = await client.list(resource, { ...within, signal, timeoutMs: TIMEOUT_MS });
        return items.map(({ metadata }) => metadata.name);
      });
    } catch {
      return [];
    }
  };
  return {
    replications: () => list(replications),
    remoteClusters: () => list(remoteClusters),
    namespaces: () => list(wellKnown.namespaces),
    contexts: () => contextsOf(around, flags),
  };
}

async function contextsOf(around: Surroundings, flags: ClusterFlags): Promise<string[]> {
  try {
    const texts = await Promise.all(kubeconfigFiles(around, flags).map((file) => readFile(file, 'utf8')));
    const names = texts.flatMap((text) => {
      const { contexts } = parse(text) as { contexts?: { name?: unknown }[] | null };
      return (contexts ?? []).flatMap(({ name }) => (typeof name === 'string' ? [name] : []));
    });
    return [...new Set(names)];
  } catch {
    return [];
  }
}

function quiet({ env, signal }: Surroundings): Surroundings {
  return { env, signal, out: () => undefined, err: () => undefined };
}
