import { describe, expect, test } from '@jest/globals';

import type { Pod } from '../pods.js';
import { holderProblem } from './holder-watch.js';
import { type PlaceholderFacts, removable } from './removable.js';

const podOf = (
  name: string,
  more: { claim?: string; placeholder?: boolean; phase?: string; ending?: boolean } = {},
): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    ...{ name, namespace: 'shop', uid: `uid-${name}` },
    ...(more.placeholder && { labels: { 'dr-syncer.io/placeholder-for': 'x' } }),
    ...(more.ending && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
  },
  spec: {
    nodeName: 'n1',
    volumes: [{ name: 'v', persistentVolumeClaim: { claimName: more.claim ?? 'data' } }],
  },
  status: { phase: more.phase ?? 'Running' },
});

const placeholder = podOf('hold', { placeholder: true });

describe('Given a placeholder pod', () => {
  const decide = (more: Partial<PlaceholderFacts> = {}) =>
    removable({
      ...{ pod: placeholder, pending: [], users: 0, idleMs: 0, ttlMs: 1_000 },
      shared: () => Promise.resolve(false),
      ...more,
    });

  test.each<[string, Partial<PlaceholderFacts>, string | undefined]>([
    ['it was used a moment ago', {}, undefined],
    ['nobody has used it for long', { idleMs: 1_000 }, 'Unused'],
    ['a transfer works with it for long', { idleMs: 9_999, users: 1 }, undefined],
    ['a pod of the workload waits for the claim', { pending: [podOf('app')], users: 1 }, 'WorkloadWaits'],
    ['a pod waits for another claim', { pending: [podOf('app', { claim: 'other' })] }, undefined],
    ['it is itself what waits', { pending: [placeholder] }, undefined],
    ['what waits is ending', { pending: [podOf('app', { ending: true })] }, undefined],
    [
      'a pod waits and both may have the claim',
      { pending: [podOf('app')], shared: () => Promise.resolve(true) },
      undefined,
    ],
  ])('When %s, then it is decided so', async (_name, facts, expected) => {
    expect(await decide(facts)).toBe(expected);
  });

  test('When a pod of that claim waits in another namespace, then it stays', async () => {
    const app = podOf('app');
    const elsewhere = { ...app, metadata: { ...app.metadata, namespace: 'other' } };
    expect(await decide({ pending: [elsewhere] })).toBeUndefined();
  });
});

describe('Given a volume that is being transferred', () => {
  const volume = {
    claim: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data' }, spec: {} },
    ...{ pvName: 'pv-1', podUid: 'uid-hold', node: 'n1', placeholder: true },
  };
  const problem = (pods: Pod[], exclusive = true) =>
    holderProblem(pods, { namespace: 'shop', volume, exclusive })?.code;

  test.each<[string, Pod[], boolean, string | undefined]>([
    ['its pod is there', [placeholder], true, undefined],
    ['its pod is gone', [], true, 'VolumeNotMounted'],
    ['its pod ends', [podOf('hold', { placeholder: true, ending: true })], true, 'VolumeNotMounted'],
    [
      'its pod has ended',
      [podOf('hold', { placeholder: true, phase: 'Succeeded' })],
      true,
      'VolumeNotMounted',
    ],
    [
      'the workload begins at the destination',
      [placeholder, podOf('app', { phase: 'Pending' })],
      true,
      'DestinationInUse',
    ],
    ['the workload runs at the source', [placeholder, podOf('app')], false, undefined],
    ['a job of the workload has ended', [placeholder, podOf('job', { phase: 'Succeeded' })], true, undefined],
    ['a pod has another claim', [placeholder, podOf('app', { claim: 'other' })], true, undefined],
  ])('When %s, then that is known', (_name, pods, exclusive, expected) => {
    expect(problem(pods, exclusive)).toBe(expected);
  });
});
