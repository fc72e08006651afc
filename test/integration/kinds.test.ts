import { annotation, label, replicationSchema } from '@dr-syncer/api';
import { type Desired, type DesiredOf, compileDesired, FactsCache, selectTypes } from '@dr-syncer/controller';
import {
  type ApiResource,
  Discovery,
  KubeClient,
  type KubeObject,
  parseKubeconfig,
  wellKnown,
} from '@dr-syncer/kube';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { type ApiServer, startApiServer } from '../cluster/index.js';
import { type KindCase, object, replicationSpec } from './kinds/case.js';
import { coreCases } from './kinds/core.js';
import { customCases } from './kinds/custom.js';
import { customResourceDefinitions } from './kinds/definitions.js';
import { networkingCases } from './kinds/networking.js';
import { workloadCases } from './kinds/workloads.js';
import { until } from './kube/fixture.js';

const SOURCE = 'shop';
const DESTINATION = 'shop-dr';
const UID = '6f1f6c0e-replication';

const cases = [...coreCases, ...workloadCases, ...networkingCases, ...customCases];

interface End {
  readonly server: ApiServer;
  readonly client: KubeClient;
  readonly discovery: Discovery;
}

async function startEnd(name: string, namespace: string): Promise<End> {
  const server = await startApiServer({ name });
  const client = new KubeClient(parseKubeconfig(server.kubeconfig));
  await client.create(wellKnown.namespaces, object('v1', 'Namespace', namespace));
  for (const crd of customResourceDefinitions())
    await client.create(wellKnown.customResourceDefinitions, crd);
  const discovery = new Discovery(client);
  await until(async () => {
    await discovery.refresh();
    const known = await Promise.all(
      customResourceDefinitions().map(({ metadata }) => discovery.resolve(metadata.name)),
    );
    return known.every((type) => type !== undefined);
  }, 60_000);
  return { server, client, discovery };
}

test('the table has at least 40 kinds', () => {
  expect(
    new Set(cases.map(({ source }) => `${source.apiVersion}/${source.kind}`)).size,
  ).toBeGreaterThanOrEqual(40);
});

describe('Given two API servers', () => {
  let source: End;
  let destination: End;
  let desiredOf: DesiredOf;
  const { signal } = new AbortController();

  const typeOf = async ({ apiVersion, kind }: KubeObject): Promise<ApiResource> => {
    const type = await source.discovery.byKind(apiVersion, kind);
    if (type === undefined) throw new Error(`${apiVersion} ${kind} is not served`);
    return type;
  };

  beforeAll(async () => {
    [source, destination] = await Promise.all([startEnd('source', SOURCE), startEnd('standby', DESTINATION)]);
    const facts = new FactsCache(source);
    const types = await source.discovery.resources({ namespaced: true });
    await facts.refresh(types, signal);
    const replication = replicationSchema.parse({
      metadata: {
        ...{ name: 'shop', namespace: 'dr-syncer-system', uid: UID, resourceVersion: '1' },
        creationTimestamp: '2026-01-01T00:00:00Z',
      },
      spec: replicationSpec,
    });
    desiredOf = compileDesired({
      ...{ replication, sourceNamespace: SOURCE, destinationNamespace: DESTINATION },
      facts: () => facts.current,
    });
  }, 120_000);

  afterAll(async () => {
    for (const { client, server } of [source, destination]) {
      await client.close();
      await server.stop();
    }
  });

  /** The object in the source as its server completes it, with what every object may have there. */
  const createInSource = async ({ source: wanted, status }: KindCase): Promise<KubeObject> => {
    const type = await typeOf(wanted);
    const { annotations, ...metadata } = wanted.metadata;
    await source.client.create(type, {
      ...wanted,
      metadata: {
        ...metadata,
        namespace: SOURCE,
        labels: { ...metadata.labels, [label.managedBy]: 'dr-syncer', [label.replication]: 'of-another-day' },
        annotations: {
          ...annotations,
          'kubectl.kubernetes.io/last-applied-configuration': '{}',
          [annotation.originalReplicas]: '99',
        },
        finalizers: ['example.com/hold'],
        ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: 'u-1' }],
      },
    });
    const ref = { resource: type, namespace: SOURCE, name: wanted.metadata.name };
    if (status !== undefined) {
      await source.client.patch(ref, { status }, 'merge', { subresource: 'status' });
    }
    return source.client.get(ref);
  };

  const bring = async (desired: Desired, type: ApiResource): Promise<KubeObject> => {
    if (desired.outcome !== 'object') throw new Error(JSON.stringify(desired));
    await destination.client.apply(type, desired.object, { fieldManager: 'dr-syncer' });
    const { name } = desired.object.metadata;
    return destination.client.get({ resource: type, namespace: DESTINATION, name });
  };

  /** Without what each server counts for itself. */
  const comparable = (read: KubeObject): unknown => {
    const copy = structuredClone(read);
    for (const field of ['uid', 'resourceVersion', 'generation', 'creationTimestamp', 'managedFields']) {
      expect(copy.metadata).toHaveProperty(field === 'generation' ? 'name' : field);
      Reflect.deleteProperty(copy.metadata, field);
    }
    return copy;
  };

  test.each(cases.map((one) => [one.title, one] as const))(
    '%s',
    async (_title, one) => {
      const type = await typeOf(one.source);
      const read = await createInSource(one);
      const standby = await bring(desiredOf(read, type), type);

      const { labels, annotations, finalizers, ...rest } = one.expected;
      const { apiVersion, kind, metadata } = one.source;
      expect(comparable(standby)).toEqual({
        ...{ apiVersion, kind },
        metadata: {
          ...{ name: metadata.name, namespace: DESTINATION },
          labels: { ...labels, [label.managedBy]: 'dr-syncer', [label.replication]: UID },
          annotations: {
            ...annotations,
            [annotation.source]: `${SOURCE}/${metadata.name}`,
            [annotation.desiredHash]: expect.stringMatching(/^[0-9a-f]{24}$/),
          },
          ...(finalizers && { finalizers }),
        },
        ...rest,
      });
      expect(JSON.stringify(standby)).not.toContain(read.metadata.uid);

      // The same once more changes nothing.
      const again = await bring(desiredOf(read, type), type);
      expect(comparable(again)).toEqual(comparable(standby));
      expect(again.metadata.generation).toBe(standby.metadata.generation);
    },
    30_000,
  );

  test.each([
    object('v1', 'Pod', 'p', { spec: { containers: [{ name: 'c', image: 'x' }] } }),
    object('coordination.k8s.io/v1', 'Lease', 'l', { spec: { holderIdentity: 'x' } }),
    object('events.k8s.io/v1', 'Event', 'e', {
      ...{ eventTime: '2026-01-01T00:00:00.000000Z', action: 'a', reason: 'r', type: 'Normal' },
      ...{ reportingController: 'c', reportingInstance: 'i', regarding: { kind: 'Pod', namespace: SOURCE } },
    }),
    object('apps/v1', 'ControllerRevision', 'r', { revision: 1, data: {} }),
  ])('a $kind is of a type that is not selected', async (wanted) => {
    const type = await typeOf(wanted);
    await source.client.create(type, { ...wanted, metadata: { ...wanted.metadata, namespace: SOURCE } });
    const { types } = await selectTypes(
      source.discovery,
      replicationSchema.shape.spec.parse(replicationSpec),
      signal,
    );
    expect(types).not.toContainEqual(expect.objectContaining({ plural: type.plural, group: type.group }));
    expect(types.length).toBeGreaterThan(40);
  });

  test.each<[string, KubeObject, RegExp]>([
    ['kube-root-ca.crt', object('v1', 'ConfigMap', 'kube-root-ca.crt'), /made in every namespace/],
    ['the default account', object('v1', 'ServiceAccount', 'default'), /made in every namespace/],
    [
      'a token',
      object('v1', 'Secret', 'token', {
        type: 'kubernetes.io/service-account-token',
        metadata: { annotations: { 'kubernetes.io/service-account.name': 'default' } },
      }),
      /token of this cluster/,
    ],
    [
      'what a controller made',
      object('v1', 'Secret', 'made', {
        metadata: {
          ownerReferences: [
            { apiVersion: 'shop.test/v1', kind: 'Widget', name: 'w', uid: 'u', controller: true },
          ],
        },
      }),
      /made by Widget w/,
    ],
    [
      'what is labelled to be ignored',
      object('v1', 'ConfigMap', 'ignored', { metadata: { labels: { 'dr-syncer.io/ignore': 'true' } } }),
      /labelled/,
    ],
  ])('%s is left out, with the reason', async (_title, wanted, reason) => {
    const type = await typeOf(wanted);
    const read = await source.client.create(type, {
      ...wanted,
      metadata: { ...wanted.metadata, namespace: SOURCE },
    });
    expect(desiredOf(read, type)).toEqual({ outcome: 'skipped', reason: expect.stringMatching(reason) });
  });

  test('a kind that takes no 0 is named, with the way out', async () => {
    const wanted = object('postgresql.cnpg.io/v1', 'Cluster', 'no-zero', { spec: { instances: 3 } });
    const type = await typeOf(wanted);
    const read = await source.client.create(type, {
      ...wanted,
      metadata: { ...wanted.metadata, namespace: SOURCE },
    });
    const desired = desiredOf(read, type);
    if (desired.outcome !== 'failed') throw new Error(desired.outcome);
    expect(desired.error.message).toBe(
      "spec.instances of Cluster no-zero can't be 0: its schema takes 1 or more",
    );
    expect(desired.error.remedy).toContain('dr-syncer.io/scale-override');
  });
});
