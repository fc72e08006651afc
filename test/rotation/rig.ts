import { setMaxListeners } from 'node:events';

import { SYSTEM_NAMESPACE } from '@dr-syncer/api';
import {
  Agents,
  ClientKeySubject,
  KeyRotation,
  type MakesKeys,
  type NewsItem,
  Relay,
  type RotatedKeys,
  RotationNews,
  type RotationOrder,
  type RotationSubject,
} from '@dr-syncer/controller';
import { KubeClient, parseKubeconfig, wellKnown } from '@dr-syncer/kube';
import { generateHostKey, generateRsaKey, type PrivateKey, type RsaKey } from '@dr-syncer/ssh';

import { type ApiServer, startApiServer } from '../cluster/index.js';
import { SimulatedAgents } from './simulated-agents.js';

const logger = {
  ...{ debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
  child: () => logger,
};

export const at = { namespace: SYSTEM_NAMESPACE, name: 'r-ssh-key' };

/** Keys that are made faster than those of the product, for tests that need many. */
export class SmallKeys implements MakesKeys {
  /** Milliseconds spent on it. */
  spent = 0;

  async clientKey(whose: string): Promise<RsaKey> {
    return this.#timed(() => generateRsaKey(3072, comment(whose)));
  }

  async hostKeys(whose: string): Promise<readonly PrivateKey[]> {
    return this.#timed(async () => [
      await generateHostKey('ed25519', comment(whose)),
      await generateRsaKey(3072, comment(whose)),
    ]);
  }

  async #timed<T>(make: () => Promise<T>): Promise<T> {
    const start = performance.now();
    const made = await make();
    this.spent += performance.now() - start;
    return made;
  }
}

function comment(whose: string): string {
  return `${whose} ${new Date().toISOString()}`;
}

/** A controller's part in the keys of one cluster: made anew, it is a controller that was restarted. */
export interface Controller {
  readonly agents: Agents;
  readonly subject: ClientKeySubject;
}

/** An API server with a cluster's agents, and controllers as many as a test wants one after the other. */
export class Rig {
  readonly client: KubeClient;
  readonly simulated: SimulatedAgents;
  readonly maker: MakesKeys;
  readonly news: NewsItem[] = [];
  readonly #api: ApiServer;
  #overrides: Record<string, string> = {};

  private constructor(api: ApiServer, maker: MakesKeys) {
    this.#api = api;
    this.maker = maker;
    this.client = new KubeClient(parseKubeconfig(api.kubeconfig), { maxConnections: 64 });
    this.simulated = new SimulatedAgents(this.client);
  }

  static async start(count: number, maker: MakesKeys): Promise<Rig> {
    const rig = new Rig(await startApiServer({ name: 'rotation' }), maker);
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: SYSTEM_NAMESPACE } };
    await rig.client.create(wellKnown.namespaces, namespace);
    const first = await rig.controller();
    await rig.simulated.start(count, () => first.agents.install(signal));
    first.agents.close();
    rig.#overrides = rig.simulated.addresses;
    return rig;
  }

  async stop(): Promise<void> {
    await this.simulated.stop();
    await this.client.close();
    await this.#api.stop();
  }

  async controller(): Promise<Controller> {
    const { client, maker } = this;
    const subject = new ClientKeySubject({ client, at, whose: 'dr-syncer test/r', maker });
    const keys = await subject.load(signal);
    const agents = new Agents({
      ...{ client, maker, owner: 'source/test/r' },
      credentials: { key: keys.current, accepted: [keys.current], notices: [] },
      settings: {
        ...{ image: 'agent', kubeletDir: '/var/lib/kubelet', hostPathPrefixes: [], port: 2222 },
        environment: { LOG_LEVEL: 'info', ENABLE_AUDIT_LOG: 'true', SSH_LIMITS: '', SSH_ALGORITHMS: '' },
      },
      connectivity: { mode: 'Direct', addressType: 'InternalIP', overrides: this.#overrides },
      relay: new Relay({ address: undefined, ports: { first: 0, last: 0 }, logger }),
    });
    subject.for(agents);
    // As a controller does when it looks at a cluster, before anything else.
    await subject.publish(keys, signal);
    return { agents, subject };
  }

  /** Runs rotations until nothing is left to do. @throws what stops them */
  async settle<K extends RotatedKeys>(subject: RotationSubject<K>, order: RotationOrder): Promise<K> {
    const news = new RotationNews<K>({
      what: 'key',
      names: (keys) => ({ current: keys.record.current }),
      tell: (item) => this.news.push(item),
    });
    const rotation = new KeyRotation({ subject, news });
    const until = performance.now() + 60_000;
    for (;;) {
      const { keys, againInMs } = await rotation.run(order, await subject.load(signal), signal);
      if (againInMs === Number.POSITIVE_INFINITY) return keys;
      if (performance.now() > until) throw new Error(`still ${keys.record.phase} after a minute`);
    }
  }
}

export const signal: AbortSignal = new AbortController().signal;
// Each agent that is asked at the same time listens.
setMaxListeners(0, signal);

/** An annotation that is taken away when it was served, as the real one. */
export function orderOf(annotated: RotationOrder['annotated'], overlapMs = 0): RotationOrder {
  let left = annotated;
  return {
    get annotated() {
      return left;
    },
    dueAt: () => undefined,
    policy: { overlapMs, waitForAllNodes: true, nodeDeadlineMs: 600_000 },
    acknowledge: (done) => {
      if (left === done) left = 'none';
      return Promise.resolve();
    },
  };
}
