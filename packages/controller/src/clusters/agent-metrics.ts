import type { Logger, MetricFamily, MetricsSource } from '@dr-syncer/runtime';
import { renderFamilies } from '@dr-syncer/runtime';
import type { Peer } from '@dr-syncer/ssh';
import type { Registry } from 'prom-client';

/** The agents of one cluster, as far as their metrics go. */
export interface MeteredAgents {
  readyNodes(signal: AbortSignal): Promise<string[]>;
  peer(node: string, signal: AbortSignal): Promise<Pick<Peer, 'request'>>;
}

export interface AgentMetricsOptions {
  readonly registry: Registry;
  /** All that there are now, by the value of their `cluster` label. */
  readonly clusters: () => ReadonlyMap<string, MeteredAgents>;
  readonly logger: Logger;
  /** Prometheus gives up after 10 s by default; what is not there by then is left out of the answer. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 5_000;

/**
 * The controller's metrics with those of every agent at both ends, so that one Prometheus in the source cluster sees
 * them without reaching into the remote ones. Agents are asked when Prometheus asks, all at the same time; of each,
 * `dr_syncer_agent_up` says whether it answered.
 */
export class AgentMetrics implements MetricsSource {
  readonly #options: AgentMetricsOptions;

  constructor(options: AgentMetricsOptions) {
    this.#options = options;
  }

  get contentType(): string {
    return this.#options.registry.contentType;
  }

  async metrics(): Promise<string> {
    const signal = AbortSignal.timeout(this.#options.timeoutMs ?? TIMEOUT_MS);
    const [own, ...ofClusters] = await Promise.all([
      this.#options.registry.metrics(),
      ...[...this.#options.clusters()].map(([cluster, agents]) => this.#ofCluster(cluster, agents, signal)),
    ]);
    return `${own}\n${renderFamilies(ofClusters.flat())}`;
  }

  async #ofCluster(cluster: string, agents: MeteredAgents, signal: AbortSignal): Promise<MetricFamily[]> {
    try {
      const nodes = await agents.readyNodes(signal);
      const families = await Promise.all(
        nodes.map((node) => this.#ofNode({ cluster, node }, agents, signal)),
      );
      return families.flat();
    } catch (err) {
      this.#options.logger.warn('metrics of the agents are missing', { cluster, err });
      return [];
    }
  }

  async #ofNode(
    labels: { cluster: string; node: string },
    agents: MeteredAgents,
    signal: AbortSignal,
  ): Promise<MetricFamily[]> {
    try {
      const asked = agents
        .peer(labels.node, signal)
        .then((peer) =>
          peer.request('metrics', {}, { signal, timeoutMs: this.#options.timeoutMs ?? TIMEOUT_MS }),
        );
      const { families } = await Promise.race([asked, aborted(signal)]);
      return [up(labels, 1), ...families.map((family) => labelled(family, labels))];
    } catch {
      return [up(labels, 0)];
    }
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const fail = () => reject(signal.reason as Error);
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}

export const agentUp = {
  name: 'dr_syncer_agent_up',
  help: 'Whether the agent answered when it was asked for its metrics',
  type: 'gauge',
} as const;

function up(labels: Readonly<Record<string, string>>, value: 0 | 1): MetricFamily {
  return { ...agentUp, samples: [{ name: agentUp.name, labels, value }] };
}

/** An agent's own labels can't pass for another node's. */
function labelled(family: MetricFamily, labels: Readonly<Record<string, string>>): MetricFamily {
  const samples = family.samples.map((sample) => ({ ...sample, labels: { ...sample.labels, ...labels } }));
  return { ...family, samples };
}
