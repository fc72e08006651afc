import { env } from 'node:process';

import { type KubeObject, type Resource, wellKnown } from '@dr-syncer/kube';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';

import { eventually } from '../support/eventually.js';
import { NamespacePairs, type Typed } from './support/namespace-pairs.js';
import {
  configMap,
  dataOf,
  makeNamespace,
  type StandbyOptions,
  startTwoApiServers,
  type TwoApiServers,
  untilServed,
  writes,
} from './support/two-api-servers.js';
import { startWebhook, type Webhook } from './support/webhook.js';

const { signal } = new AbortController();
const { configMaps: maps, customResourceDefinitions: crds, secrets } = wellKnown;
/** As many as one namespace is to take; the test suite makes do with a few pages of a list. */
const MANY = Number(env['MANY_OBJECTS'] ?? 2_500);

describe('Given a remote with a will of its own', () => {
  let world: TwoApiServers;
  let hook: Webhook;
  let from = '';
  let to = '';
  let pairs: NamespacePairs;

  beforeAll(async () => {
    world = await startTwoApiServers();
    pairs = new NamespacePairs(world, 'bad');
    hook = await startWebhook(({ metadata }) => {
      const { hooked } = metadata.labels ?? {};
      if (hooked === 'denied') return { denied: 'not this one' };
      return hooked === 'changed'
        ? {
            patch: [
              { op: 'add', path: '/metadata/labels/injected', value: 'yes' },
              { op: 'replace', path: '/data/x', value: 'of the webhook' },
            ],
          }
        : {};
    });
    await makeNamespace(world.remoteUser, 'probe');
    await installWebhooks();
  }, 120_000);

  afterAll(async () => {
    await hook.close();
    await world.close();
  });

  afterEach(() => pairs.closeEngines());

  const installWebhooks = async (): Promise<void> => {
    const { client } = world.remoteUser;
    for (const [kind, hooked] of [
      ['ValidatingWebhookConfiguration', 'denied'],
      ['MutatingWebhookConfiguration', 'changed'],
    ] as const) {
      const plural = `${kind.toLowerCase()}s`;
      const group = 'admissionregistration.k8s.io';
      const resource: Resource = { group, version: 'v1', plural, kind, namespaced: false };
      const rules = [
        { apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['configmaps', 'secrets'] },
      ];
      await client.create(resource, {
        ...{ apiVersion: `${group}/v1`, kind, metadata: { name: hooked } },
        webhooks: [
          {
            ...{ name: `${hooked}.example.com`, rules, sideEffects: 'None', admissionReviewVersions: ['v1'] },
            ...{ objectSelector: { matchLabels: { hooked } }, clientConfig: hook.clientConfig },
          },
        ],
      });
    }
    await eventually('the webhooks', async () => {
      const probe = (hooked: string) =>
        client
          .create(maps, configMap('p', 'probe', { x: '1' }, { labels: { hooked } }), { dryRun: true })
          .catch(() => undefined);
      const [denied, changed] = await Promise.all([probe('denied'), probe('changed')]);
      return denied === undefined && changed?.metadata.labels?.['injected'] === 'yes' ? true : undefined;
    });
  };

  const given = async (...objects: Typed[]): Promise<void> => {
    ({ from, to } = await pairs.make(objects));
  };
  const put = (resource: Resource, object: KubeObject) => pairs.put(resource, object);
  const sync = (options?: StandbyOptions) => pairs.sync(options);
  const good: [Resource, KubeObject] = [maps, configMap('good', '', { x: '1' })];
  const hooked = (name: string, value: string): KubeObject =>
    configMap(name, '', { x: '1' }, { labels: { hooked: value } });

  test('When a webhook denies an object Then that one is named with its words, and the rest is there', async () => {
    await given([maps, hooked('a', 'denied')], good);

    const { tally } = await sync();

    expect(tally.stats()).toMatchObject({ applied: 1, failed: 1 });
    expect(tally.firstFailure).toMatchObject({ code: 'WebhookDenied' });
    expect(tally.firstFailure?.text).toMatch(/ConfigMap\/a.*not this one/);
    expect(await dataOf(world.remoteUser, to)).toEqual({ good: { x: '1' } });
  });

  test('When a webhook denies a Secret Then nothing of what is in it is said', async () => {
    const metadata = { name: 's', labels: { hooked: 'denied' } };
    await given([secrets, { apiVersion: 'v1', kind: 'Secret', metadata, data: { p: 'aHVudGVyMg==' } }]);

    const { tally } = await sync();

    expect(tally.firstFailure?.code).toBe('WebhookDenied');
    expect(tally.firstFailure?.text).toContain('denied.example.com');
    expect(JSON.stringify([tally.firstFailure, tally.byKind()])).not.toMatch(/hunter|aHVudGVy/);
  });

  test('When a webhook changes objects Then its word counts there, and nobody writes them again and again', async () => {
    await given([maps, hooked('a', 'changed')], good);
    const engine = await sync({ watch: true });
    expect(await dataOf(world.remoteUser, to)).toMatchObject({ a: { x: 'of the webhook' } });

    world.remoteCalls.length = 0;
    await engine.pass(signal);
    // Another process, which has not seen what came of the first write.
    const other = await sync();

    expect(writes(world.remoteCalls)).toEqual([]);
    for (const { tally } of [engine, other]) expect(tally).toMatchObject({ failures: 0, drifted: 0 });
    await put(maps, { ...hooked('a', 'changed'), data: { x: '2', y: '2' } });
    await eventually('the change', async () => {
      const { a } = await dataOf(world.remoteUser, to);
      return (a as Record<string, string>)['y'] === '2' ? true : undefined;
    });
    await engine.idle();
    expect(writes(world.remoteCalls)).toHaveLength(1);
  });

  test('When the remote does not know a field of a custom resource Then the object is named with the field, and the rest is there', async () => {
    const type: Resource = {
      ...{ group: 'example.com', version: 'v1', plural: 'plans', kind: 'Plan', namespaced: true },
    };
    const definition = (fields: readonly string[]): KubeObject => ({
      ...{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' },
      metadata: { name: 'plans.example.com' },
      spec: {
        ...{ group: 'example.com', scope: 'Namespaced', names: { plural: 'plans', kind: 'Plan' } },
        versions: [
          {
            ...{ name: 'v1', served: true, storage: true },
            schema: {
              openAPIV3Schema: {
                type: 'object',
                properties: {
                  spec: {
                    type: 'object',
                    properties: Object.fromEntries(fields.map((field) => [field, { type: 'string' }])),
                  },
                },
              },
            },
          },
        ],
      },
    });
    await world.sourceUser.client.create(crds, definition(['size', 'colour']));
    await world.remoteUser.client.create(crds, definition(['size']));
    for (const at of [world.source, world.remote]) await untilServed(at, type);
    const planOf = (name: string, spec: object): [Resource, KubeObject] => [
      ...([type, { apiVersion: 'example.com/v1', kind: 'Plan', metadata: { name }, spec }] as const),
    ];
    await given(planOf('newer', { size: '1', colour: 'red' }), planOf('older', { size: '1' }), good);

    const { tally } = await sync();

    expect(tally.stats()).toMatchObject({ applied: 2, failed: 1 });
    expect(tally.firstFailure).toMatchObject({ code: 'ObjectRejected' });
    expect(tally.firstFailure?.text).toMatch(/Plan\/newer.*colour/);
    const mergePatch = { spec: { colour: null } };
    const transforms = [{ name: 'plain', selector: { kinds: ['Plan'] }, mergePatch }];
    expect((await sync({ spec: { transforms } })).tally.stats()).toMatchObject({ failed: 0 });
  });

  test(`When there are ${MANY} ConfigMaps Then all arrive, and the next sync writes nothing`, async () => {
    await given();
    let next = 0;
    const make = async (): Promise<void> => {
      const { client } = world.sourceUser;
      while (next < MANY) {
        const name = `m-${next++}`;
        await client.create(maps, configMap(name, from, { name }));
      }
    };
    await Promise.all(Array.from({ length: 16 }, make));

    const { tally } = await sync();

    expect(tally.stats()).toMatchObject({ applied: MANY, failed: 0 });
    const copies = await dataOf(world.remoteUser, to);
    expect(Object.keys(copies)).toHaveLength(MANY);
    expect(
      Object.entries(copies).filter(([name, data]) => (data as { name?: string }).name !== name),
    ).toEqual([]);
    world.remoteCalls.length = 0;
    expect((await sync()).tally.stats()).toMatchObject({ applied: 0, unchanged: MANY });
    expect(writes(world.remoteCalls)).toEqual([]);
  }, 600_000);
});
