import type { SshKeyStatus } from '@dr-syncer/api';
import type { KubeObject, ReadStore, WorkQueue } from '@dr-syncer/kube';

import type { MeteredAgents } from './clusters/agent-metrics.js';
import type { RemoteClusters } from './clusters/remote-clusters.js';

interface Work {
  readonly sourceAgents: MeteredAgents;
  readonly remotes: RemoteClusters;
  /** What is known of the key towards the source's agents. */
  readonly sourceKeys: () => SshKeyStatus | undefined;
  readonly replications: ReadStore<KubeObject>;
  readonly remoteClusters: ReadStore<KubeObject>;
  readonly queues: Readonly<Record<string, WorkQueue>>;
}

/** What the metrics look at: the leader's parts while it leads, nothing otherwise. */
export class ObservedWork {
  #work: Work | undefined;

  begin(work: Work): void {
    this.#work = work;
  }

  end(): void {
    this.#work = undefined;
  }

  get isActive(): boolean {
    return this.#work !== undefined;
  }

  /** By the value of their `cluster` label. */
  agents(): Map<string, MeteredAgents> {
    const all = new Map<string, MeteredAgents>();
    if (this.#work === undefined) return all;
    all.set('source', this.#work.sourceAgents);
    for (const [key, { agents }] of this.#work.remotes.handles()) all.set(key, agents);
    return all;
  }

  sourceKeys(): SshKeyStatus | undefined {
    return this.#work?.sourceKeys();
  }

  replications(): readonly KubeObject[] {
    return this.#work?.replications.list() ?? [];
  }

  remoteClusters(): readonly KubeObject[] {
    return this.#work?.remoteClusters.list() ?? [];
  }

  queues(): Record<string, number> {
    const queues = Object.entries(this.#work?.queues ?? {});
    return Object.fromEntries(queues.map(([name, queue]) => [name, queue.length]));
  }
}
