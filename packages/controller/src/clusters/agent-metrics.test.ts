import { describe, expect, test } from '@jest/globals';
import type { Logger } from '@dr-syncer/runtime';
import type { Peer } from '@dr-syncer/ssh';
import { Gauge, Registry } from 'prom-client';

import { AgentMetrics, type MeteredAgents } from './agent-metrics.js';

const name = 'dr_syncer_ssh_grants';
const sample = (labels: Record<string, string>) => ({
  families: [{ name, help: 'Grants open', type: 'gauge', samples: [{ name, labels, value: 2 }] }],
});

describe('Given a controller with agents in two clusters', () => {
  const registry = new Registry();
  new Gauge({ name: 'dr_syncer_own', help: 'own', registers: [registry] }).set(1);
  const warnings: string[] = [];
  const logger = { warn: (message: string) => void warnings.push(message) } as unknown as Logger;
  const peerThat = (answer: () => Promise<unknown>) =>
    Promise.resolve({ request: answer } as unknown as Pick<Peer, 'request'>);

  const agents = (nodes: readonly string[], answer: (node: string) => Promise<unknown>): MeteredAgents => ({
    readyNodes: () => Promise.resolve([...nodes]),
    peer: (node) => peerThat(() => answer(node)),
  });

  const metrics = (clusters: Record<string, MeteredAgents>) =>
    new AgentMetrics({
      registry,
      logger,
      clusters: () => new Map(Object.entries(clusters)),
      timeoutMs: 100,
    }).metrics();

  test('when asked, it adds what each agent answers, under its cluster and node', async () => {
    const answer = () => Promise.resolve(sample({ cluster: 'forged', node: 'forged' }));

    const text = await metrics({ source: agents(['a'], answer), 'ns/remote': agents(['b', 'c'], answer) });

    expect(text).toContain('dr_syncer_own 1');
    expect(text.match(/^# TYPE dr_syncer_ssh_grants gauge$/gm)).toHaveLength(1);
    for (const [cluster, node] of [
      ['source', 'a'],
      ['ns/remote', 'b'],
      ['ns/remote', 'c'],
    ] as const) {
      expect(text).toContain(`dr_syncer_ssh_grants{cluster="${cluster}",node="${node}"} 2`);
      expect(text).toContain(`dr_syncer_agent_up{cluster="${cluster}",node="${node}"} 1`);
    }
    expect(text).not.toContain('forged');
  });

  test('when an agent fails or never answers, it is down and the others are there', async () => {
    const answer = (node: string) => {
      if (node === 'silent') return new Promise(() => undefined);
      return node === 'broken' ? Promise.reject(new Error('no')) : Promise.resolve(sample({}));
    };

    const text = await metrics({ source: agents(['silent', 'broken', 'good'], answer) });

    expect(text).toContain('dr_syncer_agent_up{cluster="source",node="silent"} 0');
    expect(text).toContain('dr_syncer_agent_up{cluster="source",node="broken"} 0');
    expect(text).toContain('dr_syncer_ssh_grants{cluster="source",node="good"} 2');
  });

  test('when the API server of a cluster does not answer, the others are there and the log says so', async () => {
    const broken: MeteredAgents = {
      readyNodes: () => Promise.reject(new Error('no route')),
      peer: () => Promise.reject(new Error('unused')),
    };

    const text = await metrics({ gone: broken, source: agents(['a'], () => Promise.resolve(sample({}))) });

    expect(text).toContain('dr_syncer_agent_up{cluster="source",node="a"} 1');
    expect(warnings).toEqual(['metrics of the agents are missing']);
  });
});
