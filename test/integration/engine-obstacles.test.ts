import { type KubeObject, type Resource, wellKnown } from '@dr-syncer/kube';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';

import { eventually } from '../support/eventually.js';
import { type Faults, withFaults } from './support/faults.js';
import { NamespacePairs, type Typed } from './support/namespace-pairs.js';
import {
  configMap,
  dataOf,
  makeNamespace,
  type StandbyOptions,
  startTwoApiServers,
  type TwoApiServers,
  untilServed,
} from './support/two-api-servers.js';

const maps = wellKnown.configMaps;
const crds = wellKnown.customResourceDefinitions;

const definition = (
  plural: string,
  kind: string,
  versions: readonly string[],
  storage: string,
): KubeObject => ({
  ...{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' },
  metadata: { name: `${plural}.example.com` },
  spec: {
    ...{ group: 'example.com', scope: 'Namespaced', names: { plural, kind, singular: kind.toLowerCase() } },
    versions: versions.map((name) => ({
      ...{ name, served: true, storage: name === storage },
      schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
    })),
  },
});
const widgets = (plural: string, kind: string, version: string): Resource => ({
  ...{ group: 'example.com', version, plural, kind, namespaced: true },
});

describe('Given a remote that does not take everything', () => {
  let world: TwoApiServers;
  let faults: Faults;
  let to = '';
  let pairs: NamespacePairs;

  beforeAll(async () => {
    world = await startTwoApiServers();
    pairs = new NamespacePairs(world, 'obstacle');
    faults = withFaults(world.remote);
  }, 120_000);

  afterAll(() => world.close());

  afterEach(async () => {
    faults.writes = [];
    await pairs.closeEngines();
  });

  const given = async (...objects: Typed[]): Promise<void> => {
    ({ to } = await pairs.make(objects, { remoteToo: true }));
  };
  const sync = (options?: StandbyOptions) => pairs.sync(options);
  const good: [Resource, KubeObject] = [maps, configMap('good', '', { x: '1' })];
  const expectGood = async () =>
    expect(await dataOf(world.remoteUser, to)).toHaveProperty('good', { x: '1' });

  test('When its policy denies an object Then that one is named, and the rest is there', async () => {
    const policy = { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicy' };
    const resource = (plural: string, kind: string): Resource => ({
      ...{ group: 'admissionregistration.k8s.io', version: 'v1', plural, kind, namespaced: false },
    });
    const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] };
    await world.remoteUser.client.create(resource('validatingadmissionpolicies', policy.kind), {
      ...{ ...policy, metadata: { name: 'no-denied' } },
      spec: {
        matchConstraints: { resourceRules: [rule] },
        validations: [{ expression: "object.metadata.name != 'denied'", message: 'not that one' }],
      },
    });
    await world.remoteUser.client.create(
      resource('validatingadmissionpolicybindings', 'ValidatingAdmissionPolicyBinding'),
      {
        ...{ apiVersion: policy.apiVersion, kind: 'ValidatingAdmissionPolicyBinding' },
        ...{
          metadata: { name: 'no-denied' },
          spec: { policyName: 'no-denied', validationActions: ['Deny'] },
        },
      },
    );
    await makeNamespace(world.remoteUser, 'probe');
    await eventually('the policy', async () => {
      const probe = world.remoteUser.client.create(maps, configMap('denied', 'probe', {}), { dryRun: true });
      return probe.then(
        () => undefined,
        () => true,
      );
    });
    await given([maps, configMap('denied', '', {})], good);

    const { tally } = await sync();

    expect(tally.stats()).toMatchObject({ applied: 1, failed: 1 });
    expect(tally.firstFailure).toMatchObject({ code: 'ObjectRejected' });
    expect(tally.firstFailure?.text).toContain('not that one');
    await expectGood();
  });

  test('When a webhook of it does not answer Then that is waited for, and the rest is there', async () => {
    const kind = 'ValidatingWebhookConfiguration';
    const plural = 'validatingwebhookconfigurations';
    const hooks: Resource = {
      ...{ group: 'admissionregistration.k8s.io', version: 'v1', plural, kind, namespaced: false },
    };
    const rules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['configmaps'] }];
    await world.remoteUser.client.create(hooks, {
      ...{ apiVersion: 'admissionregistration.k8s.io/v1', kind, metadata: { name: 'down' } },
      webhooks: [
        {
          ...{ name: 'down.example.com', rules, sideEffects: 'None', admissionReviewVersions: ['v1'] },
          ...{ failurePolicy: 'Fail', objectSelector: { matchLabels: { hooked: 'yes' } }, timeoutSeconds: 2 },
          clientConfig: { url: 'https://127.0.0.1:1/' },
        },
      ],
    });
    await given([maps, configMap('hooked', '', {}, { labels: { hooked: 'yes' } })], good);
    await new Promise((resolve) => setTimeout(resolve, 1_500));

    const engine = await sync({ watch: true });

    expect(engine.tally.firstFailure).toMatchObject({ code: 'WebhookUnavailable' });
    await expectGood();
    await world.remoteUser.client.delete({ resource: hooks, name: 'down' });
    await eventually('the object', () => Promise.resolve(engine.tally.failures === 0 ? true : undefined));
  });

  test('When its quota is used up Then what did not fit is named', async () => {
    const quotas: Resource = {
      ...{ group: '', version: 'v1', plural: 'resourcequotas', kind: 'ResourceQuota', namespaced: true },
    };
    await given(
      [maps, configMap('a', '', {})],
      [maps, configMap('b', '', {})],
      [maps, configMap('c', '', {})],
    );
    const hard = { 'count/configmaps': '2' };
    const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'q', namespace: to } };
    await world.remoteUser.client.create(quotas, { ...quota, spec: { hard } });
    // As the quota controller would, which a lone API server lacks.
    await world.remoteUser.client.patch(
      { resource: quotas, namespace: to, name: 'q' },
      { status: { hard, used: { 'count/configmaps': '0' } } },
      'merge',
      { subresource: 'status' },
    );

    const { tally } = await sync();

    expect(tally.stats()).toMatchObject({ applied: 2, failed: 1 });
    expect(tally.firstFailure).toMatchObject({ code: 'QuotaExceeded' });
  });

  test('When it lacks a type Then the objects are named; when the type comes, they are there', async () => {
    const things = widgets('things', 'Thing', 'v1');
    await world.sourceUser.client.create(crds, definition('things', 'Thing', ['v1'], 'v1'));
    await untilServed(world.source, things);
    await given(
      [things, { apiVersion: 'example.com/v1', kind: 'Thing', metadata: { name: 't' }, deep: 1 }],
      good,
    );

    const engine = await sync({ watch: true });
    expect(engine.tally.stats()).toMatchObject({ failed: 1 });
    expect(engine.tally.firstFailure).toMatchObject({ code: 'TypeNotServed' });
    await expectGood();

    await world.remoteUser.client.create(crds, definition('things', 'Thing', ['v1'], 'v1'));
    await eventually('the object', () =>
      world.remoteUser.client.get({ resource: things, namespace: to, name: 't' }).then(
        (found) => found['deep'],
        () => undefined,
      ),
    );
    expect(engine.tally.failures).toBe(0);
  }, 60_000);

  test('When it serves only an older version Then the source converts to that', async () => {
    const gadgets = (version: string) => widgets('gadgets', 'Gadget', version);
    await world.sourceUser.client.create(crds, definition('gadgets', 'Gadget', ['v2', 'v1'], 'v2'));
    await world.remoteUser.client.create(crds, definition('gadgets', 'Gadget', ['v1'], 'v1'));
    await untilServed(world.source, gadgets('v2'));
    await untilServed(world.remote, gadgets('v1'));
    const gadget = { apiVersion: 'example.com/v2', kind: 'Gadget', metadata: { name: 'g' }, deep: [1] };
    await given([gadgets('v2'), gadget]);

    const { tally } = await sync();

    expect(tally.stats()).toMatchObject({ applied: 1, failed: 0 });
    const found = await world.remoteUser.client.get({ resource: gadgets('v1'), namespace: to, name: 'g' });
    expect(found).toMatchObject({ apiVersion: 'example.com/v1', deep: [1] });
  });

  test('When an object is as large as the source takes Then it is named, and the rest is there', async () => {
    const blobs = widgets('blobs', 'Blob', 'v1');
    for (const at of [world.source, world.remote]) {
      await at.client.create(crds, definition('blobs', 'Blob', ['v1'], 'v1'));
      await untilServed(at, blobs);
    }
    const blob = (name: string, size: number): [Resource, KubeObject] => [
      blobs,
      { apiVersion: 'example.com/v1', kind: 'Blob', metadata: { name }, text: 'x'.repeat(size) },
    ];
    // etcd takes requests of 1.5 MiB; ours carry labels and annotations besides.
    await given(blob('large', 1_400_000), blob('too-large', 1_572_864 - 700), good);

    const { tally } = await sync();

    expect(tally.firstFailure).toMatchObject({ code: 'ObjectTooLarge' });
    expect(tally.firstFailure?.text).toContain('Blob/too-large');
    expect(tally.stats()).toMatchObject({ applied: 2, failed: 1 });
  });

  test('When names are as long as they may be Then they are copied', async () => {
    const long = 'n'.repeat(253);
    await given([maps, configMap(long, '', { x: '1' })]);

    expect((await sync()).tally.failures).toBe(0);
    expect(Object.keys(await dataOf(world.remoteUser, to))).toEqual([long]);
  });

  test('When it goes away in the middle Then the sync says so, and goes on when it is back', async () => {
    const many = Array.from({ length: 200 }, (_one, i): [Resource, KubeObject] => [
      maps,
      configMap(`m-${i}`, '', {}),
    ]);
    await given(...many);
    let calls = 0;
    const apply = world.remote.client.apply.bind(world.remote.client);
    world.remote.client.apply = (...args) => {
      calls += 1;
      if (calls === 60) faults.writes = ['lost request'];
      return apply(...args) as never;
    };

    const engine = await sync({ watch: true });
    const { applied, failed } = engine.tally.stats();

    expect(applied).toBeGreaterThanOrEqual(30);
    expect(failed).toBeGreaterThan(0);
    expect(applied + failed).toBe(200);
    expect(engine.tally.firstFailure).toMatchObject({ code: 'RemoteUnreachable' });
    // Not two hundred times: it is known to be away after a few.
    expect(calls).toBeLessThan(180);
    faults.writes = [];
    await eventually(
      'everything',
      () => Promise.resolve(engine.tally.failures === 0 ? true : undefined),
      60_000,
    );
    expect(Object.keys(await dataOf(world.remoteUser, to))).toHaveLength(200);
    world.remote.client.apply = apply;
  }, 90_000);
});
