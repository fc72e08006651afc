import { annotation, SOURCE_KEY_SECRET } from '@dr-syncer/api';
import { type EventRecorder, refOf, sleep, wellKnown } from '@dr-syncer/kube';
import type { Logger } from '@dr-syncer/runtime';

import type { AgentSettings } from './clusters/agent-objects.js';
import { Agents } from './clusters/agents.js';
import type { Cluster } from './clusters/cluster.js';
import type { Relay } from './clusters/reach/relay.js';
import { acknowledgeAnnotation } from './rotation/acknowledge.js';
import type { LoadedKeys } from './rotation/client-key-subject.js';
import { ClusterKeys, type KeyOrders, type KeysReport } from './rotation/cluster-keys.js';
import type { KeyMaker } from './rotation/key-maker.js';
import type { RotationOrder } from './rotation/key-rotation.js';
import type { NewsItem } from './rotation/news.js';
import { type AskedFor, askedBy, dueAt } from './rotation/request.js';

export interface SourceAgentsOptions {
  readonly source: Cluster;
  /** Of the controller and its key. */
  readonly namespace: string;
  readonly sourceId: string;
  readonly settings: AgentSettings;
  readonly relay: Relay;
  readonly maker: KeyMaker;
  /** How old keys get; undefined: until somebody asks. */
  readonly rotationMs: number | undefined;
  readonly events: EventRecorder;
  readonly logger: Logger;
}

const LOOK_MS = 60_000;
const RETRY_MS = 5_000;
const policy = { overlapMs: 2_000, waitForAllNodes: true, nodeDeadlineMs: 30 * 60_000 };

/**
 * The agents of the source cluster, which no RemoteCluster stands for: kept installed, and their keys replaced when they
 * are old or when the annotations that a RemoteCluster takes are put on the Secret with the controller's key.
 */
export class SourceAgents {
  readonly agents: Agents;
  readonly #options: SourceAgentsOptions;
  readonly #keys: ClusterKeys;
  #secret: LoadedKeys['secret'];
  #report: KeysReport | undefined;
  #refused: string | undefined;
  #wake = new AbortController();

  private constructor(options: SourceAgentsOptions, keys: ClusterKeys, agents: Agents, loaded: LoadedKeys) {
    this.#options = options;
    this.#keys = keys;
    this.agents = agents;
    this.#secret = loaded.secret;
  }

  /** With the key that is there, or a new one. @throws DrError KeyInvalid; KubeError */
  static async open(options: SourceAgentsOptions, signal: AbortSignal): Promise<SourceAgents> {
    const { source, namespace, sourceId, settings, relay, maker } = options;
    const at = { namespace, name: SOURCE_KEY_SECRET };
    const news: { of?: SourceAgents } = {};
    const tell = (item: NewsItem) => news.of?.tell(item);
    const keys = new ClusterKeys({ client: source.client, at, whose: 'dr-syncer source', maker, tell });
    const loaded = await keys.load(signal);
    const agents = new Agents({
      ...{ client: source.client, credentials: loaded.credentials, maker, settings, relay },
      owner: `${sourceId}/source`,
      connectivity: { mode: 'Direct', addressType: 'InternalIP' },
    });
    news.of = new SourceAgents(options, keys, agents, loaded.keys);
    return news.of;
  }

  /** What is known of their keys. */
  get keys(): KeysReport | undefined {
    return this.#report;
  }

  /** Something has changed that they depend on. */
  wake(): void {
    this.#wake.abort();
  }

  /** Until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    for (let wait = 0; ;) {
      await sleep(wait, AbortSignal.any([signal, this.#wake.signal])).catch(() => undefined);
      if (signal.aborted) return;
      this.#wake = new AbortController();
      try {
        wait = Math.min(LOOK_MS, await this.#look(signal));
      } catch (err) {
        this.#options.logger.warn('agents of the source cluster could not be installed', { err });
        wait = RETRY_MS;
      }
    }
  }

  close(): void {
    this.agents.close();
  }

  async #look(signal: AbortSignal): Promise<number> {
    const { keys, credentials } = await this.#keys.load(signal);
    this.#secret = keys.secret;
    this.agents.trust(credentials);
    await this.agents.install(signal);
    this.#report = await this.#keys.rotate(this.agents, keys, this.#orders(keys), signal);
    return this.#report.againInMs;
  }

  #orders({ secret }: LoadedKeys): KeyOrders {
    const { source, rotationMs } = this.#options;
    const { annotations = {}, uid = '' } = secret.metadata;
    const order = (name: string, asked: AskedFor): RotationOrder => ({
      annotated: 'request' in asked ? asked.request : 'none',
      policy,
      dueAt: (createdAt) => (rotationMs === undefined ? undefined : dueAt(createdAt, rotationMs, uid)),
      acknowledge: async (done, signal) => {
        const value = done === 'revoke' ? 'revoke' : 'true';
        const ref = refOf(wellKnown.secrets, secret);
        await acknowledgeAnnotation(source.client, ref, { name, value }, signal);
      },
    });
    const { rotateSshKey: ssh, rotateHostKeys: host } = annotation;
    const [sshAsked, hostAsked] = [
      askedBy(ssh, annotations[ssh], true),
      askedBy(host, annotations[host], false),
    ];
    this.#refuse('refused' in sshAsked ? sshAsked.refused : undefined);
    return { client: order(ssh, sshAsked), host: order(host, hostAsked) };
  }

  #refuse(refused: string | undefined): void {
    if (refused !== undefined && refused !== this.#refused) {
      this.tell({ type: 'Warning', reason: 'KeyRotationRefused', message: refused });
    }
    this.#refused = refused;
  }

  /** As Events of the Secret with the key. */
  tell({ type, reason, message }: NewsItem): void {
    const { events, logger } = this.#options;
    logger.info('keys of the source', { reason, message });
    events.record({ regarding: this.#secret, type, reason, message, action: 'RotateKeys' });
  }
}
