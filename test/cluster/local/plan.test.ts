import { describe, expect, it } from '@jest/globals';
import { apiServerUrl, clusterNames, planBridge, planCluster } from './plan.js';

describe('planCluster', () => {
  const plans = clusterNames.map((name) => planCluster(name, 8, { stateDir: '/state', network: 95 }));

  it('gives each node an address, a range of pods and an interface of its own', () => {
    const nodes = plans.flatMap((plan) => plan.nodes);
    for (const property of ['name', 'address', 'podCidr', 'hostInterface', 'directory'] as const) {
      expect(new Set(nodes.map((node) => node[property])).size).toBe(16);
    }
  });

  it('keeps names of interfaces within 15 characters', () => {
    const names = plans.flatMap((plan) => plan.nodes.map((node) => node.hostInterface));
    for (const name of [...names, planBridge(95).name]) expect(name.length).toBeLessThanOrEqual(15);
  });

  it('puts the API server on the first node', () => {
    expect(plans.map(apiServerUrl)).toEqual(['https://10.95.0.11:6443', 'https://10.95.0.21:6443']);
  });
});
