import type { KubeObject } from '../../demo/kubectl.js';
import type { Kubectl } from '../../demo/kubectl.js';
import { remoteKubeconfig } from '../../demo/remote-access.js';
import { API_VERSION, SYSTEM_NAMESPACE } from '../../demo/standby.js';
import { type TwoClusters } from './clusters.js';
import { eventually } from '../../support/eventually.js';

const READY_MS = 240_000;
const SYNC_MS = 240_000;

/** A RemoteCluster of a test, with its Secret. Resolves when it is ready. */
export async function connect(
  { source, remote }: TwoClusters,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<void> {
  const metadata = { name, namespace: SYSTEM_NAMESPACE, labels };
  await source.apply([
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata,
      stringData: { kubeconfig: await remoteKubeconfig(remote) },
    },
    { apiVersion: API_VERSION, kind: 'RemoteCluster', metadata, spec: { kubeconfigSecret: name } },
  ]);
  const get = ['get', 'remoteclusters.dr-syncer.io', name, '-n', SYSTEM_NAMESPACE];
  const ready = async (): Promise<true | undefined> => {
    const { status } = await source.json<{ status?: { phase?: string } }>(get);
    return status?.phase === 'Ready' ? true : undefined;
  };
  await eventually(`RemoteCluster ${name} to be ready`, ready, READY_MS);
}

/** The status of a Replication as far as a test looks at it; fields that are not named are there too. */
export interface SyncedStatus<V> {
  readonly phase: string;
  readonly lastSyncRequest?: string;
  readonly lastSyncTime?: string;
  readonly conditions: readonly { type: string; status: string; reason: string; message: string }[];
  readonly resourceStatus: readonly {
    readonly kind: string;
    readonly failures?: readonly {
      readonly name: string;
      readonly reason: string;
      readonly message: string;
    }[];
  }[];
  readonly volumes: readonly V[];
}

/** Asks for a sync and resolves with the status that answers it, good or bad. */
export async function sync<V>(source: Kubectl, name: string, request: string): Promise<SyncedStatus<V>> {
  const object = `replications.dr-syncer.io/${name}`;
  const place = ['-n', SYSTEM_NAMESPACE];
  await source.run(['annotate', '--overwrite', object, `dr-syncer.io/sync-now=${request}`, ...place]);
  const answered = async (): Promise<SyncedStatus<V> | undefined> => {
    const { status } = await source.json<{ status?: SyncedStatus<V> }>(['get', object, ...place]);
    return status?.lastSyncRequest === request ? status : undefined;
  };
  return await eventually(`request ${request} of ${name} to be answered`, answered, SYNC_MS);
}

export function replicationOf(
  name: string,
  labels: Readonly<Record<string, string>>,
  spec: Readonly<Record<string, unknown>>,
): KubeObject {
  const metadata = { name, namespace: SYSTEM_NAMESPACE, labels };
  return { apiVersion: API_VERSION, kind: 'Replication', metadata, spec };
}
