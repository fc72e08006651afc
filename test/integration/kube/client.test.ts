import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Secret } from '@dr-syncer/api';
import {
  addFinalizer, describeRule, Discovery, isAlreadyExists, isConflict, isFieldConflict, isForbidden, isNotFound, KubeClient,
  type KubeError, type KubeObject, kubeToDrError, missingPermissions, refOf, removeFinalizer, setCondition, credentialValidity, wellKnown, writeStatus,
} from '@dr-syncer/kube'; // prettier-ignore
import { type Api, configMap, startApi, until, widget, widgets } from './fixture.js';

let api: Api;
let client: KubeClient;

beforeAll(async () => {
  api = await startApi();
  ({ client } = api);
}, 300_000);
afterAll(() => api.close());

async function errorOf(promise: Promise<unknown>): Promise<KubeError> {
  return promise.then(
    () => {
      throw new Error('it succeeded');
    },
    (err: unknown) => err as KubeError,
  );
}

describe('Given a real API server', () => {
  test('When asked for its version, Then it says so', async () => {
    expect(await client.version()).toMatchObject({ major: '1', gitVersion: expect.stringMatching(/^v1\./) });
  });

  test('When a custom resource is applied, Then every field comes back', async () => {
    const spec = { a: null, b: [{ c: 1.5 }, 'ä\u2028', ''], d: { e: {}, f: [] }, g: -0.25, 'x.y/z': true };
    const applied = await client.apply(widgets, widget('all-fields', spec), { fieldManager: 'test' });
    expect(applied).toMatchObject({
      apiVersion: 'shop.test/v1',
      kind: 'Widget',
      spec,
    });
    expect(await client.get(refOf(widgets, applied))).toEqual(applied);
    const [listed] = (
      await client.list(widgets, { namespace: 'shop', fieldSelector: 'metadata.name=all-fields' })
    ).items;
    expect(listed).toEqual(applied);
  });

  test('When two managers apply the same field, Then the conflict names it, and force takes it over', async () => {
    await client.apply(wellKnown.configMaps, configMap('shared', { a: '1' }), { fieldManager: 'one' });
    const second = configMap('shared', { a: '2' });
    const err = await errorOf(client.apply(wellKnown.configMaps, second, { fieldManager: 'two' }));
    expect([isConflict(err), isFieldConflict(err)]).toEqual([true, true]);
    expect(err.details?.causes?.[0]).toMatchObject({
      field: '.data.a',
      message: expect.stringContaining('"one"'),
    });
    expect(kubeToDrError(err).code).toBe('ObjectConflict');
    expect(
      await client.apply(wellKnown.configMaps, second, { fieldManager: 'two', force: true }),
    ).toMatchObject({ data: { a: '2' } });
    // A dry run changes nothing.
    await client.apply(wellKnown.configMaps, configMap('shared', { a: '3' }), {
      fieldManager: 'two',
      dryRun: true,
    });
    expect(await client.get(refOf(wellKnown.configMaps, second))).toMatchObject({ data: { a: '2' } });
  });

  test('When an object is created, replaced and deleted, Then every refusal has its own face', async () => {
    const first = await client.create(wellKnown.configMaps, configMap('life', { a: '1' }));
    expect(isAlreadyExists(await errorOf(client.create(wellKnown.configMaps, configMap('life'))))).toBe(true);
    const second = await client.replace(wellKnown.configMaps, { ...first, data: { a: '2' } });
    const stale = await errorOf(client.replace(wellKnown.configMaps, { ...first, data: { a: '3' } }));
    expect([isConflict(stale), kubeToDrError(stale).code]).toEqual([true, 'ObjectChanged']);
    const ref = refOf(wellKnown.configMaps, second);
    expect(isConflict(await errorOf(client.delete(ref, { preconditions: { uid: 'other' } })))).toBe(true);
    await client.delete(ref, {
      preconditions: { uid: second.metadata.uid },
      propagationPolicy: 'Background',
    });
    expect(await client.find(ref)).toBeUndefined();
    expect(isNotFound(await errorOf(client.delete(ref)))).toBe(true);
  });

  test('When the name is left to the server, Then it is created', async () => {
    const metadata = { generateName: 'made-', namespace: 'shop' } as KubeObject['metadata'];
    const made = await client.create(wellKnown.configMaps, { ...configMap('x'), metadata });
    expect(made.metadata.name).toMatch(/^made-.+/);
  });

  test('When a Secret is refused, Then its content is not in the error', async () => {
    const content = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'bad', namespace: 'shop' } };
    const attempts = [
      { ...content, data: { password: 'hunter2-not-base64!' } },
      { ...content, data: { password: 12345678 } },
      { ...content, stringData: { 'bad key/': 'hunter2' } },
      { ...content, type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': 'hunter2' } },
    ];
    for (const attempt of attempts) {
      for (const call of [
        () => client.create(wellKnown.secrets, attempt),
        () => client.apply(wellKnown.secrets, attempt, { fieldManager: 'x' }),
      ]) {
        const err = await errorOf(call());
        expect(JSON.stringify([err.message, err.details])).not.toMatch(/hunter2|12345678/);
        expect(kubeToDrError(err).code).toBe('ObjectRejected');
      }
    }
  });

  test('When thousands are listed in pages, Then each one is there once, all of one moment', async () => {
    const names = Array.from({ length: 1200 }, (_, i) => `many-${String(i).padStart(4, '0')}`);
    await Promise.all(
      names.map((name) =>
        client.create(wellKnown.configMaps, {
          ...configMap(name),
          metadata: { name, namespace: 'shop', labels: { many: 'yes' } },
        }),
      ),
    );
    let pages = 0;
    const versions = new Set<string>();
    const seen: string[] = [];
    for await (const page of client.pages(wellKnown.configMaps, {
      namespace: 'shop',
      labelSelector: 'many=yes',
      limit: 100,
    })) {
      pages += 1;
      versions.add(page.resourceVersion);
      seen.push(...page.items.map((item) => item.metadata.name));
      for (const item of page.items) expect(item).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' });
    }
    expect(seen).toEqual(names);
    // A page may be short, or empty: the server counts before it selects.
    expect(pages).toBeGreaterThanOrEqual(12);
    expect(versions.size).toBe(1);
  }, 60_000);

  test('When a watch times out at the server, Then it ends without an error', async () => {
    // Where nobody writes anything.
    const namespace = 'nowhere';
    const { resourceVersion } = await client.list(wellKnown.leases, { namespace });
    const begun = performance.now();
    const options = { namespace, resourceVersion, timeoutSeconds: 1 };
    for await (const event of client.watch(wellKnown.leases, options)) expect(event.type).toBe('BOOKMARK');
    expect(performance.now() - begun).toBeGreaterThan(900);
  });
});

describe('Given accounts with fewer rights', () => {
  let limited: KubeClient;
  let token: string;

  beforeAll(async () => {
    const account = {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'limited', namespace: 'shop' },
    };
    await client.create(wellKnown.serviceAccounts, account);
    const review = await client.create<KubeObject & { status: { token: string } }>(
      wellKnown.serviceAccounts,
      {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        metadata: account.metadata,
        spec: { expirationSeconds: 3600 },
      },
      { subresource: 'token' },
    );
    ({ token } = review.status);
    const { server, ca } = api.access;
    limited = new KubeClient({ server, ...(ca === undefined ? {} : { ca }), token: new Secret(token) });
  });
  afterAll(() => limited.close());

  test('When one may not do something, Then verb, type and place are named', async () => {
    const err = await errorOf(limited.list(wellKnown.secrets, { namespace: 'shop' }));
    expect(isForbidden(err)).toBe(true);
    expect(kubeToDrError(err)).toMatchObject({
      code: 'PermissionMissing',
      message: expect.stringMatching(
        /list secrets in shop.*cannot list resource "secrets".*namespace "shop"/,
      ),
    });
    expect(err.message).not.toContain(token);
  });

  test('When permissions are reviewed, Then those missing are listed', async () => {
    const wanted = [
      { verb: 'create', group: 'authorization.k8s.io', resource: 'selfsubjectaccessreviews' },
      { verb: 'create', group: '', resource: 'secrets', namespace: 'shop' },
      { verb: 'update', group: 'apps', resource: 'deployments', subresource: 'scale', namespace: 'shop' },
    ];
    expect((await missingPermissions(limited, wanted)).map(describeRule)).toEqual([
      'create secrets in shop',
      'update deployments.apps/scale in shop',
    ]);
    expect(await missingPermissions(client, wanted)).toEqual([]);
  });

  test('When the token is refused, Then it is said, and not shown', async () => {
    const { server, ca } = api.access;
    const wrong = new KubeClient({
      server,
      ...(ca === undefined ? {} : { ca }),
      token: new Secret(`${token}x`),
    });
    const err = await errorOf(wrong.version().then(() => wrong.list(wellKnown.secrets)));
    expect(kubeToDrError(err).code).toBe('RemoteUnauthorized');
    expect(err.message).not.toContain(token);
    await wrong.close();
  });

  test('When the token is a JWT of the server, Then its end is known', () => {
    const end = credentialValidity({ server: api.access.server, token: new Secret(token) })?.until;
    expect((end?.getTime() ?? 0) - Date.now()).toBeGreaterThan(3_000_000);
  });
});

describe('Given status and finalizers', () => {
  test('When a status is written, Then only differences go out, and a change in between is a conflict', async () => {
    const first = await client.create(widgets, widget('with-status'));
    const conditions = setCondition(
      undefined,
      { type: 'Ready', status: 'True', reason: 'Fine', message: 'fine' },
      1,
      new Date(),
    );
    const second = await writeStatus(client, widgets, first, { phase: 'Running', conditions, gone: 1 });
    expect(second['status']).toEqual({ phase: 'Running', conditions, gone: 1 });
    expect(await writeStatus(client, widgets, second, { conditions, phase: 'Running', gone: 1 })).toBe(
      second,
    );
    const third = await writeStatus(client, widgets, second, { phase: 'Done', conditions, gone: undefined });
    expect(third['status']).toEqual({ phase: 'Done', conditions });
    expect(third.metadata.generation).toBe(first.metadata.generation);
    expect(isConflict(await errorOf(writeStatus(client, widgets, second, { phase: 'Other' })))).toBe(true);
  });

  test('When finalizers come and go, Then others are left alone, and the last one lets the object go', async () => {
    const created = await client.create(widgets, widget('with-finalizer'));
    const one = await addFinalizer(client, widgets, created, 'shop.test/one');
    expect(await addFinalizer(client, widgets, one, 'shop.test/one')).toBe(one);
    const two = await addFinalizer(client, widgets, one, 'shop.test/two');
    expect(two.metadata.finalizers).toEqual(['shop.test/one', 'shop.test/two']);
    // From an old state: the list is no longer empty, and what is there must not be lost.
    const stale = await errorOf(addFinalizer(client, widgets, created, 'shop.test/three'));
    expect(stale).toMatchObject({ code: 'ObjectChanged' });
    await client.delete(refOf(widgets, two));
    const left = await removeFinalizer(client, widgets, two, 'shop.test/one');
    expect(left?.metadata.finalizers).toEqual(['shop.test/two']);
    const moved = await errorOf(removeFinalizer(client, widgets, two, 'shop.test/two'));
    expect(moved).toMatchObject({ code: 'ObjectChanged' });
    await removeFinalizer(client, widgets, left!, 'shop.test/two');
    expect(await client.find(refOf(widgets, two))).toBeUndefined();
    expect(await removeFinalizer(client, widgets, left!, 'shop.test/two')).toBeUndefined();
  });
});

describe('Given discovery', () => {
  test('When names are resolved, Then they are what kubectl would take', async () => {
    const discovery = new Discovery(client);
    const named = async (name: string): Promise<string | undefined> => {
      const found = await discovery.resolve(name);
      return found && `${found.plural}.${found.version}.${found.group}`;
    };
    expect(await named('deploy')).toBe('deployments.v1.apps');
    expect(await named('EVENTS')).toBe('events.v1.');
    expect(await named('horizontalpodautoscaler')).toBe('horizontalpodautoscalers.v2.autoscaling');
    expect(await named('wdg')).toBe('widgets.v1.shop.test');
    expect((await discovery.resolve('deployments'))?.subresources).toEqual(
      expect.arrayContaining(['scale', 'status']),
    );
    expect(discovery.staleGroups()).toEqual([]);
    const listable = await discovery.resources({ namespaced: true, verbs: ['list', 'watch'] });
    expect(listable.length).toBeGreaterThan(25);
    for (const type of listable) await client.list(type, { limit: 1 });
  });

  test('When an aggregated API is down, Then it is reported and the rest is there', async () => {
    const apiServices = {
      group: 'apiregistration.k8s.io',
      version: 'v1',
      plural: 'apiservices',
      kind: 'APIService',
      namespaced: false,
    };
    await client.create(apiServices, {
      ...{
        apiVersion: 'apiregistration.k8s.io/v1',
        kind: 'APIService',
        metadata: { name: 'v1.broken.test' },
      },
      spec: {
        group: 'broken.test',
        version: 'v1',
        groupPriorityMinimum: 100,
        versionPriority: 100,
        insecureSkipTLSVerify: true,
        service: { name: 'none', namespace: 'shop' },
      },
    });
    const discovery = new Discovery(client);
    await until(async () => {
      await discovery.refresh();
      return discovery.staleGroups().includes('broken.test/v1');
    }, 60_000);
    expect((await discovery.resolve('wdg'))?.kind).toBe('Widget');
    await client.delete({ resource: apiServices, name: 'v1.broken.test' });
  }, 90_000);
});
