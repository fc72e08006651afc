import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { KubeClient } from './client.js';
import { Discovery } from './discovery.js';
import { FakeServer, type Handler, sendJson, sendStatus } from './testing/fake-server.js';
import { resourceName } from './types.js';

interface Type {
  plural: string;
  kind: string;
  short?: string[];
  cluster?: boolean;
  verbs?: string[];
  sub?: string[];
}
interface Version {
  version: string;
  stale?: boolean;
  types: Type[];
}
type World = Record<string, Version[]>;

const all = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'];

function world(): World {
  return {
    '': [
      {
        version: 'v1',
        types: [
          { plural: 'configmaps', kind: 'ConfigMap', short: ['cm'] },
          { plural: 'events', kind: 'Event', short: ['ev'] },
          { plural: 'namespaces', kind: 'Namespace', short: ['ns'], cluster: true },
          { plural: 'bindings', kind: 'Binding', verbs: ['create'] },
        ],
      },
    ],
    apps: [
      {
        version: 'v1',
        types: [{ plural: 'deployments', kind: 'Deployment', short: ['deploy'], sub: ['status', 'scale'] }],
      },
    ],
    'events.k8s.io': [{ version: 'v1', types: [{ plural: 'events', kind: 'Event', short: ['ev'] }] }],
    autoscaling: [
      {
        version: 'v2',
        types: [{ plural: 'horizontalpodautoscalers', kind: 'HorizontalPodAutoscaler', short: ['hpa'] }],
      },
      {
        version: 'v1',
        types: [
          { plural: 'horizontalpodautoscalers', kind: 'HorizontalPodAutoscaler', short: ['hpa'] },
          { plural: 'olds', kind: 'Old' },
        ],
      },
    ],
    'shop.test': [
      {
        version: 'v1alpha1',
        types: [
          { plural: 'carts', kind: 'Cart', short: ['cm'] },
          { plural: 'deployments', kind: 'Deployment' },
        ],
      },
    ],
  };
}

const singular = ({ kind }: Type): string => kind.toLowerCase();

function aggregated(current: () => World): Handler {
  return ({ path }, response) => {
    const groups = Object.entries(current()).filter(([group]) => (path === '/api') === (group === ''));
    const items = groups.map(([name, versions]) => ({
      metadata: { name },
      versions: versions.map(({ version, stale, types }) => ({
        version,
        freshness: stale === true ? 'Stale' : 'Current',
        resources: types.map((type) => ({
          resource: type.plural,
          responseKind: { kind: type.kind },
          scope: type.cluster === true ? 'Cluster' : 'Namespaced',
          singularResource: singular(type),
          shortNames: type.short,
          verbs: type.verbs ?? all,
          subresources: type.sub?.map((subresource) => ({ subresource })),
        })),
      })),
    }));
    sendJson(response, 200, {
      kind: 'APIGroupDiscoveryList',
      apiVersion: 'apidiscovery.k8s.io/v2',
      metadata: {},
      items,
    });
  };
}

/** A server from before aggregated discovery. A stale version answers 503. */
function plain(current: () => World): Handler {
  return ({ path }, response) => {
    const [, root, first, second] = path.split('/');
    const [group, version] = root === 'api' ? ['', first] : [first, second];
    if (version === undefined) {
      const groups = Object.entries(current())
        .filter(([name]) => name !== '')
        .map(([name, versions]) => ({
          ...{ name, preferredVersion: { version: versions[0]?.version } },
          versions: versions.map((one) => ({ version: one.version })).reverse(),
        }));
      sendJson(response, 200, root === 'api' ? { kind: 'APIVersions' } : { kind: 'APIGroupList', groups });
      return;
    }
    const found = current()[group ?? '']?.find((one) => one.version === version);
    if (found === undefined || found.stale === true) {
      sendStatus(response, 503, 'ServiceUnavailable');
      return;
    }
    const resources = found.types.flatMap((type) => [
      {
        name: type.plural,
        singularName: singular(type),
        kind: type.kind,
        namespaced: type.cluster !== true,
        shortNames: type.short,
        verbs: type.verbs ?? all,
      },
      ...(type.sub ?? []).map((sub) => ({ name: `${type.plural}/${sub}`, kind: 'X', verbs: ['get'] })),
    ]);
    sendJson(response, 200, { kind: 'APIResourceList', resources });
  };
}

let served: World;
let now: number;
let server: FakeServer;
let client: KubeClient;
let discovery: Discovery;

beforeEach(async () => {
  served = world();
  now = 0;
  server = await FakeServer.start(aggregated(() => served));
  client = new KubeClient(server.access, { timeoutMs: 2000 });
  discovery = new Discovery(client, { now: () => now });
});
afterEach(async () => {
  await client.close();
  await server.close();
});

const named = (
  resource: { group: string; version: string; plural: string } | undefined,
): string | undefined => resource && `${resourceName(resource)}/${resource.version}`;

describe.each([
  ['aggregated', aggregated],
  ['plain', plain],
])('Given a server with %s discovery', (_name, handler) => {
  beforeEach(() => {
    server.handler = handler(() => served);
  });

  test.each([
    ['configmaps', 'configmaps/v1'],
    ['ConfigMap', 'configmaps/v1'],
    ['CONFIGMAPS', 'configmaps/v1'],
    [' cm ', 'configmaps/v1'],
    ['Deployment', 'deployments.apps/v1'],
    ['deploy', 'deployments.apps/v1'],
    ['deployments.apps', 'deployments.apps/v1'],
    ['deployments.v1.apps', 'deployments.apps/v1'],
    ['deployment.Shop.test', 'deployments.shop.test/v1alpha1'],
    ['deployments.v1alpha1.shop.test', 'deployments.shop.test/v1alpha1'],
    ['events', 'events/v1'],
    ['events.events.k8s.io', 'events.events.k8s.io/v1'],
    ['hpa', 'horizontalpodautoscalers.autoscaling/v2'],
    ['hpa.v1.autoscaling', 'horizontalpodautoscalers.autoscaling/v1'],
    ['olds', 'olds.autoscaling/v1'],
    ['carts', 'carts.shop.test/v1alpha1'],
    ['nothing', undefined],
    ['configmaps.apps', undefined],
    ['.apps', undefined],
    ['', undefined],
  ])('When "%s" is asked for, Then it is %s', async (name, expected) => {
    expect(named(await discovery.resolve(name))).toBe(expected);
  });

  test('When a name has several meanings, Then all are given, names before short names', async () => {
    expect((await discovery.resolveAll('cm')).map(named)).toEqual([
      'configmaps/v1',
      'carts.shop.test/v1alpha1',
    ]);
    expect((await discovery.resolveAll('deployments')).map(named)).toEqual([
      'deployments.apps/v1',
      'deployments.shop.test/v1alpha1',
    ]);
  });

  test('When all types are asked for, Then each is there once, with verbs, scope and subresources', async () => {
    const types = await discovery.resources({ namespaced: true, verbs: ['list', 'watch'] });
    expect(types.map(named)).toEqual([
      'configmaps/v1', 'events/v1', 'deployments.apps/v1', 'events.events.k8s.io/v1',
      'horizontalpodautoscalers.autoscaling/v2', 'olds.autoscaling/v1', 'carts.shop.test/v1alpha1', 'deployments.shop.test/v1alpha1',
    ]); // prettier-ignore
    expect(types[2]?.subresources).toEqual(['status', 'scale']);
    expect((await discovery.resources({ namespaced: false })).map(named)).toEqual(['namespaces/v1']);
  });

  test('When kind and version are known, Then the type is found; and all versions of a type', async () => {
    expect(named(await discovery.byKind('autoscaling/v1', 'HorizontalPodAutoscaler'))).toBe(
      'horizontalpodautoscalers.autoscaling/v1',
    );
    expect(await discovery.byKind('autoscaling/v3', 'HorizontalPodAutoscaler')).toBeUndefined();
    const versions = await discovery.versionsOf({ group: 'autoscaling', plural: 'horizontalpodautoscalers' });
    expect(versions.map(({ version }) => version)).toEqual(['v2', 'v1']);
  });

  test('When the server of one group is down, Then that group is reported and its types as last known are kept', async () => {
    await discovery.refresh();
    expect(discovery.staleGroups()).toEqual([]);
    served['shop.test'] = [{ version: 'v1alpha1', stale: true, types: [] }];
    served['apps']?.[0]?.types.push({ plural: 'news', kind: 'New' });
    await discovery.refresh();

    expect(discovery.staleGroups()).toEqual(['shop.test/v1alpha1']);
    expect(named(await discovery.resolve('carts'))).toBe('carts.shop.test/v1alpha1');
    expect(named(await discovery.resolve('news'))).toBe('news.apps/v1');

    served = world();
    await discovery.refresh();
    expect(discovery.staleGroups()).toEqual([]);
  }, 10_000);
});

describe('Given a cache', () => {
  test('When it is young, Then the server is not asked; when it is old, it is', async () => {
    await discovery.resolve('cm');
    await discovery.resources();
    expect(server.requests).toHaveLength(2);
    now = 11 * 60_000;
    await discovery.resolve('cm');
    expect(server.requests).toHaveLength(4);
  });

  test('When many ask at once, Then the server is asked once', async () => {
    await Promise.all(Array.from({ length: 20 }, () => discovery.resolve('cm')));
    expect(server.requests).toHaveLength(2);
  });

  test('When a name is not known, Then the server is asked again, though not all the time', async () => {
    expect(await discovery.resolve('news')).toBeUndefined();
    served['apps']?.[0]?.types.push({ plural: 'news', kind: 'New' });
    expect(await discovery.resolve('news')).toBeUndefined();
    expect(server.requests).toHaveLength(2);
    now = 11_000;
    expect(named(await discovery.resolve('news'))).toBe('news.apps/v1');
  });

  test('When the server fails, Then the old answer serves on, and a refresh that was asked for fails', async () => {
    await discovery.resolve('cm');
    server.handler = (_request, response) => sendStatus(response, 403, 'Forbidden');
    now = 11 * 60_000;
    expect(named(await discovery.resolve('cm'))).toBe('configmaps/v1');
    await expect(discovery.refresh()).rejects.toMatchObject({ status: 403 });
    await expect(new Discovery(client).resolve('cm')).rejects.toMatchObject({ status: 403 });
  });

  test('When one of those who wait is cancelled, Then the others are not', async () => {
    const abort = new AbortController();
    const [cancelled, other] = [discovery.resolve('cm', abort.signal), discovery.resolve('cm')];
    abort.abort(new Error('enough'));
    await expect(cancelled).rejects.toThrow('enough');
    expect(named(await other)).toBe('configmaps/v1');
  });
});
