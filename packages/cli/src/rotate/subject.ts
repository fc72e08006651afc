import { SOURCE_KEY_SECRET, SYSTEM_NAMESPACE } from '@dr-syncer/api';
import { parseRemoteCluster, remoteClusters } from '@dr-syncer/controller';
import type { KubeClient, KubeObject } from '@dr-syncer/kube';

import { CommandFailure } from '../failure.js';
import { annotationsOf, type RotationOrder } from './state.js';

/** What keys belong to, as far as a rotation is asked for and followed. */
export interface KeySubject {
  readonly title: string;
  read(signal: AbortSignal): Promise<KubeObject>;
  ask(order: RotationOrder, signal: AbortSignal): Promise<void>;
}

const FIELD_MANAGER = 'dr-syncer-cli';
const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';

/** The keys of the agents in a remote. */
export function remoteSubject(client: KubeClient, namespace: string, name: string): KeySubject {
  const ref = { resource: remoteClusters, namespace, name };
  return {
    title: `${namespace}/${name}`,
    read: (signal) => client.get(ref, { signal }),
    ask: async (order, signal) => {
      const parsed = parseRemoteCluster(await client.get(ref, { signal }));
      if (!parsed.ok) throw new CommandFailure(`RemoteCluster ${namespace}/${name}: ${parsed.problem}`);
      if (parsed.value.spec.paused) {
        throw new CommandFailure(
          `RemoteCluster ${namespace}/${name} is paused (spec.paused), so nothing would happen`,
        );
      }
      const body = { metadata: { annotations: annotationsOf(order) } };
      await client.patch(ref, body, 'merge', { fieldManager: FIELD_MANAGER, signal });
    },
  };
}

/** Those of the source's own agents. Only the metadata of the Secret is asked for: the keys stay where they are. */
export function sourceSubject(client: KubeClient): KeySubject {
  const path = `/api/v1/namespaces/${SYSTEM_NAMESPACE}/secrets/${SOURCE_KEY_SECRET}`;
  return {
    title: 'source',
    read: async (signal) => (await client.raw('GET', path, { accept: METADATA_ONLY, signal })) as KubeObject,
    ask: async (order, signal) => {
      await client.raw('PATCH', path, {
        ...{ accept: METADATA_ONLY, contentType: 'application/merge-patch+json', signal },
        query: { fieldManager: FIELD_MANAGER },
        body: { metadata: { annotations: annotationsOf(order) } },
      });
    },
  };
}
