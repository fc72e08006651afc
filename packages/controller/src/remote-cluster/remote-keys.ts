import { API_GROUP_VERSION, DrError } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';
import { fingerprintSha256 } from '@dr-syncer/ssh';

import type { Agents } from '../clusters/agents.js';
import type { Cluster } from '../clusters/cluster.js';
import type { LoadedKeys } from '../rotation/client-key-subject.js';
import { ClusterKeys, type KeysReport } from '../rotation/cluster-keys.js';
import type { KeyMaker } from '../rotation/key-maker.js';
import { keySecretName } from '../rotation/key-sharing.js';
import type { NewsItem } from '../rotation/news.js';
import type { Credentials } from '../rotation/rotated-agents.js';
import { keyOrders } from './key-orders.js';
import type { RemoteClusterReport } from './status.js';

export interface RemoteKeysOptions {
  readonly source: Cluster;
  readonly maker: KeyMaker;
  /** Who has the Secret of this RemoteCluster's key already. */
  readonly keyOwner: (object: KubeObject) => string | undefined;
  readonly tell: (object: KubeObject, item: NewsItem) => void;
}

/** What is remembered of the keys of a RemoteCluster; losing it costs some logins. */
export interface KeyMemory {
  keys?: { readonly secret: string; readonly keys: ClusterKeys };
  /** What was said of an annotation that is not understood, so that it is said once. */
  refused?: string;
}

/** The keys of one RemoteCluster, in one look at it. */
export class RemoteKeys {
  readonly #options: RemoteKeysOptions;
  readonly #object: KubeObject;
  readonly #report: RemoteClusterReport;
  readonly #memory: KeyMemory;
  #loaded: LoadedKeys | undefined;

  constructor(
    options: RemoteKeysOptions,
    object: KubeObject,
    report: RemoteClusterReport,
    memory: KeyMemory,
  ) {
    this.#options = options;
    this.#object = object;
    this.#report = report;
    this.#memory = memory;
  }

  /** The controller's key, made when there is none. @throws DrError KeyShared, KeyInvalid; KubeError */
  async load(signal: AbortSignal): Promise<Credentials> {
    const { keys, credentials } = await this.#keys().load(signal);
    this.#loaded = keys;
    return credentials;
  }

  /** What stops a rotation is told, and does not stop the cluster from being used. */
  async rotate(agents: Agents, signal: AbortSignal): Promise<KeysReport> {
    const loaded = this.#loaded;
    if (loaded === undefined) throw new DrError('Internal', 'keys were not loaded');
    const { orders, refused } = keyOrders(this.#options.source.client, this.#report);
    this.#refuse(refused);
    const rotated = await this.#keys().rotate(agents, loaded, orders, signal);
    const { sshKey, hostKeys, problem } = rotated;
    const report = this.#report;
    report.set({ sshKey, ...(hostKeys && { hostKeys }) });
    report.set({ hostKeyFingerprints: agents.hostKeys.map((line) => fingerprintSha256(line)) });
    const present = `Secret ${keySecretName(report.remote)} holds the key ${sshKey.fingerprint}.`;
    const stuck = problem === undefined ? '' : ` A rotation cannot go on: ${problem}.`;
    report.ok('KeysReady', 'Present', present + stuck);
    return rotated;
  }

  #refuse(refused: string | undefined): void {
    if (refused !== undefined && refused !== this.#memory.refused) {
      const item = { type: 'Warning', reason: 'KeyRotationRefused', message: refused } as const;
      this.#options.tell(this.#object, item);
    }
    if (refused === undefined) delete this.#memory.refused;
    else this.#memory.refused = refused;
  }

  /** @throws DrError KeyShared */
  #keys(): ClusterKeys {
    const { source, maker, keyOwner, tell } = this.#options;
    const { namespace, name } = this.#report.remote.metadata;
    const secret = keySecretName(this.#report.remote);
    const owner = keyOwner(this.#object);
    if (owner !== undefined) {
      throw new DrError('KeyShared', `Secret ${namespace}/${secret} has the key of ${owner}`);
    }
    const known = this.#memory.keys;
    if (known?.secret === secret) return known.keys;
    const keys = new ClusterKeys({
      ...{ client: source.client, at: { namespace, name: secret }, maker },
      owner: { ...this.#object, apiVersion: API_GROUP_VERSION, kind: 'RemoteCluster' },
      whose: `dr-syncer ${namespace}/${name}`,
      tell: (item) => tell(this.#object, item),
    });
    this.#memory.keys = { secret, keys };
    return keys;
  }
}
