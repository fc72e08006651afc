import { setTimeout as sleep } from 'node:timers/promises';

import type { VolumeStatus } from '@dr-syncer/api';

import { run } from '../cluster/process/run.js';
import type { LocalTestCluster, TestClusters } from '../cluster/index.js';
import type { Kubectl, KubeObject } from '../demo/kubectl.js';
import { PRIVILEGED_MOVERS, SYSTEM_NAMESPACE } from '../demo/standby.js';
import { type TwoClusters } from '../e2e/support/clusters.js';
import { eventually } from '../support/eventually.js';
import { replicationOf, type SyncedStatus } from '../e2e/support/replication.js';
import { brokenFiles, type Contents, contentsOf } from './contents.js';
import { type FoundProcess, processesOf } from './processes.js';
import { differencesOf } from './tree.js';

export type Side = 'source' | 'remote';
export type Container = 'ssh' | 'mover';

export const LABELS = { e2e: 'faults' } as const;
export const REMOTE = 'e2e-faults';
export const CLAIM = 'data';
const SYNC_MS = 420_000;

interface Pod extends KubeObject {
  readonly status?: {
    readonly containerStatuses?: readonly {
      readonly name: string;
      readonly containerID?: string;
      readonly ready: boolean;
    }[];
  };
}

/** Two clusters with one volume that is copied from the one to the other, and ways to look at it and to hurt it. */
export class World {
  readonly context: TwoClusters;
  readonly clusters: TestClusters<LocalTestCluster>;
  /** The volume's directories on this machine. */
  readonly roots: Record<Side, string> = { source: '', remote: '' };
  /** The same as their nodes see them. */
  readonly paths: Record<Side, string> = { source: '', remote: '' };
  /** Of the namespace at both ends, and of the Replication. */
  readonly name: string;
  /** The RemoteCluster. */
  readonly #remote: string;
  readonly #storage: string;
  /** What a sync may take. */
  readonly #syncMs: number;
  #request = 0;

  /** @param storage what the claim asks for: at the remote it gets the smallest volume that has so much */
  constructor(
    context: TwoClusters,
    clusters: TestClusters<LocalTestCluster>,
    { name = 'e2e-faults', remote = REMOTE, storage = '256Mi', syncMs = SYNC_MS } = {},
  ) {
    this.context = context;
    this.clusters = clusters;
    this.name = name;
    this.#storage = storage;
    this.#syncMs = syncMs;
    this.#remote = remote;
  }

  at(side: Side): Kubectl {
    return this.context[side];
  }

  /** Namespaces, claim and Replication; the volume has no pod at either end but the placeholders. */
  async make(): Promise<void> {
    const { source, remote, settings } = this.context;
    const namespace = {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: this.name, labels: LABELS, annotations: { [PRIVILEGED_MOVERS]: 'true' } },
    };
    await Promise.all([source.apply([namespace]), remote.apply([namespace])]);
    await source.apply([
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: CLAIM, namespace: this.name },
        spec: {
          accessModes: ['ReadWriteOnce'],
          storageClassName: settings.sourceStorageClass,
          resources: { requests: { storage: this.#storage } },
        },
      },
      replicationOf(this.name, LABELS, {
        destinationCluster: this.#remote,
        sourceNamespace: this.name,
        resourceTypes: ['persistentvolumeclaims'],
        pvcConfig: {
          storageClassMapping: { [settings.sourceStorageClass]: settings.remoteStorageClass },
          stallTimeoutSeconds: 20,
        },
      }),
    ]);
    await this.expectSync();
    this.roots.source = await this.#rootOf('source');
    this.roots.remote = await this.#rootOf('remote');
  }

  /** All worlds. */
  static async remove({ source, remote }: TwoClusters): Promise<void> {
    const ours = 'replications.dr-syncer.io,remoteclusters.dr-syncer.io,secrets';
    await source.run(['delete', ours, '-n', SYSTEM_NAMESPACE, '-l', 'e2e=faults', '--ignore-not-found']);
    await Promise.all(
      [source, remote].map((at) => at.run(['delete', 'ns', '-l', 'e2e=faults', '--wait=false'])),
    );
  }

  async patch(pvcConfig: Readonly<Record<string, unknown>>): Promise<void> {
    const patch = JSON.stringify({ spec: { pvcConfig } });
    const object = `replications.dr-syncer.io/${this.name}`;
    await this.at('source').run([...['patch', object, '-n', SYSTEM_NAMESPACE, '--type=merge', '-p', patch]]);
  }

  /** Asks for a sync. The answer is its status, good or bad; it fails only when there is none. */
  async begin(): Promise<{ readonly ended: Promise<SyncedStatus<VolumeStatus>> }> {
    this.#request += 1;
    const request = `run-${this.name}-${process.pid}-${this.#request}`;
    const object = `replications.dr-syncer.io/${this.name}`;
    const place = ['-n', SYSTEM_NAMESPACE];
    const annotate = ['annotate', '--overwrite', object, `dr-syncer.io/sync-now=${request}`, ...place];
    await this.at('source').run(annotate);
    const answered = async () => {
      const { status } = await this.at('source').json<{ status?: SyncedStatus<VolumeStatus> }>([
        ...['get', object, ...place],
      ]);
      return status?.lastSyncRequest === request && status.phase !== 'Running' ? status : undefined;
    };
    const ended = eventually(`request ${request} to be answered`, answered, this.#syncMs);
    // Whoever waits for it sees a failure; nobody has to.
    ended.catch(() => undefined);
    return { ended };
  }

  /** How far the volume is, if that is known. */
  async percent(): Promise<number | undefined> {
    const { status } = await this.at('source').json<{ status?: SyncedStatus<VolumeStatus> }>([
      ...['get', `replications.dr-syncer.io/${this.name}`, '-n', SYSTEM_NAMESPACE],
    ]);
    return status?.volumes[0]?.percent;
  }

  /** @throws Error with what the status says when it is not completed */
  async expectSync(): Promise<VolumeStatus | undefined> {
    const status = await (await this.begin()).ended;
    const [volume] = status.volumes;
    if (status.phase === 'Completed') return volume;
    throw new Error(`the sync ended as ${status.phase}: ${JSON.stringify([status.conditions, volume])}`);
  }

  /** What was written is on its way to the disk no more. */
  async settle(): Promise<void> {
    await run('sync', []);
  }

  /** Another way to the remote's nodes; null: as it was. */
  async connectVia(name: string, connectivity: Readonly<Record<string, unknown>>): Promise<void> {
    const patch = JSON.stringify({ spec: { connectivity } });
    const object = `remoteclusters.dr-syncer.io/${name}`;
    await this.at('source').run(['patch', object, '-n', SYSTEM_NAMESPACE, '--type=merge', '-p', patch]);
    await eventually('the remote to be reached that way', async () => {
      const found = await this.at('source').json<{
        metadata: { generation: number };
        status?: { phase?: string; observedGeneration?: number };
      }>(['get', object, '-n', SYSTEM_NAMESPACE]);
      const current = found.status?.observedGeneration === found.metadata.generation;
      return current && found.status?.phase === 'Ready' ? true : undefined;
    });
  }

  contents(side: Side): Promise<Contents> {
    return contentsOf(this.roots[side]);
  }

  /** Between the state before and the one that is being copied, there is nothing else. */
  async expectOldOrNew(before: Contents, after: Contents): Promise<void> {
    const broken = brokenFiles(await this.contents('remote'), before, after);
    if (broken.length > 0) throw new Error(`broken files: ${broken.slice(0, 10).join('; ')}`);
  }

  async expectEqual(): Promise<void> {
    const differences = await differencesOf(this.roots.source, this.roots.remote);
    if (differences.length > 0) throw new Error(`not equal: ${differences.join('; ')}`);
  }

  /** Mounts the file system that the copy is on for reading only, or for writing again. */
  async remountCopy(mode: 'ro' | 'rw'): Promise<void> {
    const [node] = this.clusters.remote.nodes;
    await node?.exec(['mount', '-o', `remount,${mode}`, this.paths.remote]);
  }

  /** Of the agent of the (only) node, or of the controller. */
  async processes(side: Side, container: Container | 'controller'): Promise<FoundProcess[]> {
    const selector = container === 'controller' ? 'app=dr-syncer-controller' : 'app=dr-syncer-agent';
    const pods = await this.at(side).json<{ items: Pod[] }>([
      ...['get', 'pods', '-n', SYSTEM_NAMESPACE, '-l', selector],
    ]);
    const ids = pods.items.flatMap(({ status }) => status?.containerStatuses ?? []);
    const name = (one: { name: string }) => container === 'controller' || one.name === container;
    const found = await Promise.all(
      ids
        .filter(name)
        .flatMap(({ containerID = '' }) => /^containerd:\/\/(.+)$/.exec(containerID)?.[1] ?? [])
        .map(processesOf),
    );
    return found.flat();
  }

  /** Asks until there are some, for as long as a transfer may take to begin. */
  async untilProcesses(look: () => Promise<FoundProcess[]>, timeoutMs = 20_000): Promise<FoundProcess[]> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const found = await look();
      if (found.length > 0 || Date.now() > deadline) return found;
      await sleep(50);
    }
  }

  /** Replaces the agent, so that kubelet does not make the next start of a killed container wait. */
  async freshAgent(side: Side): Promise<void> {
    const place = ['-n', SYSTEM_NAMESPACE];
    await this.at(side).run(['delete', 'pod', '-l', 'app=dr-syncer-agent', ...place], { timeoutMs: 120_000 });
    await this.at(side).run(['rollout', 'status', 'daemonset/dr-syncer-agent', '--timeout=180s', ...place], {
      timeoutMs: 190_000,
    });
  }

  /** The placeholder pods of the claim. */
  placeholders(): string[] {
    return ['pods', '-n', this.name, '-l', 'dr-syncer.io/placeholder-for'];
  }

  /** Asks for new keys of one kind, and waits until nothing of the rotation is left to do. */
  async rotateKeys(kind: 'rotate-ssh-key' | 'rotate-host-keys'): Promise<void> {
    const object = `remoteclusters.dr-syncer.io/${this.#remote}`;
    const place = ['-n', SYSTEM_NAMESPACE];
    const annotation = `dr-syncer.io/${kind}`;
    await this.at('source').run(['annotate', '--overwrite', object, `${annotation}=true`, ...place]);
    await eventually(
      'the keys to be rotated',
      async () => {
        const { metadata, status } = await this.at('source').json<{
          metadata: { annotations?: Readonly<Record<string, string>> };
          status: Readonly<Record<'sshKey' | 'hostKeys', { readonly rotation?: object }>>;
        }>(['get', object, ...place]);
        const { sshKey, hostKeys } = status;
        const isAsked = annotation in (metadata.annotations ?? {});
        return isAsked || sshKey.rotation || hostKeys.rotation ? undefined : true;
      },
      240_000,
    );
  }

  async #rootOf(side: Side): Promise<string> {
    const claim = await this.at(side).json<{ spec: { volumeName: string } }>([
      ...['get', 'pvc', CLAIM, '-n', this.name],
    ]);
    const volume = await this.at(side).json<{ spec: { local: { path: string } } }>([
      ...['get', 'pv', claim.spec.volumeName],
    ]);
    const [node] = this.clusters[side].nodes;
    if (node === undefined) throw new Error(`${side} has no node`);
    this.paths[side] = volume.spec.local.path;
    return node.rootOf(volume.spec.local.path);
  }
}
