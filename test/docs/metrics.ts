import { MoverMetrics, SshMetrics } from '@dr-syncer/agent';
import { agentUp, StateMetrics, SyncMetrics, VolumeScheduler } from '@dr-syncer/controller';
import { Registry } from 'prom-client';

import { generatedFrom, table } from './table.js';

export interface MetricEntry {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

/** What a registry holds, as a reader wants it. */
function entriesOf(registry: Registry): MetricEntry[] {
  const metrics = registry.getMetricsAsArray() as unknown as (object & {
    readonly name: string;
    readonly help: string;
    readonly labelNames: readonly string[];
  })[];
  return metrics
    .map((metric) => ({
      ...{ name: metric.name, help: metric.help, labels: metric.labelNames },
      type: metric.constructor.name.toLowerCase(),
    }))
    .sort((a, b) => a.name.localeCompare(b.name));
}

export function controllerMetrics(): MetricEntry[] {
  const registry = new Registry();
  new SyncMetrics(registry);
  new VolumeScheduler({ transfers: 1, perNode: 1, ofRemote: () => ({}) }, registry);
  new StateMetrics({
    ...{ registry, version: '', leading: () => false, queues: () => ({}) },
    ...{ replications: () => [], remoteClusters: () => [], sourceKeys: () => undefined },
  });
  return entriesOf(registry);
}

/** Those of both containers, with the labels that the controller gives them. */
export function agentMetrics(): MetricEntry[] {
  const registry = new Registry();
  new SshMetrics(registry);
  new MoverMetrics(registry, () => 0);
  const own = [...entriesOf(registry), { ...agentUp, labels: [] }];
  return own
    .map((entry) => ({ ...entry, labels: ['cluster', 'node', ...entry.labels] }))
    .sort((a, b) => a.name.localeCompare(b.name));
}

function rows(entries: readonly MetricEntry[]): string {
  return table(
    ['metric', 'type', 'labels', ''],
    entries.map(({ name, type, labels, help }) => [`\`${name}\``, type, labels.join(', '), help]),
  );
}

/** docs/reference/metrics.md */
export function renderMetrics(): string {
  return `${generatedFrom('the code')}# Metrics

The controller serves all of them on port 8080 at \`/metrics\`, those of the agents of both clusters included: one Prometheus in
the source cluster sees both ends. Of several controllers the one that holds the lease shows what Replications and RemoteClusters
say. Alerts made of them are in the [reference of alerts](alerts.md).

Label values are bounded: names of Replications (\`namespace/name\`), claims (a status lists 100), RemoteClusters and nodes, and
fixed sets of results and reasons. \`remote_cluster="source"\` and \`cluster="source"\` are the source's own agents.

## Controller

${rows(controllerMetrics())}

Beside these are the usual ones of a Node.js process (\`process_*\`, \`nodejs_*\`).

## Agents

${rows(agentMetrics())}
`;
}
