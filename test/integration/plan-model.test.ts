import { label, replicationSchema } from '@dr-syncer/api';
import { planSync, type SyncPlan } from '@dr-syncer/controller';
import { isNotFound, type KubeObject, wellKnown } from '@dr-syncer/kube';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';

import {
  configMap,
  makeNamespace,
  openStandby,
  startTwoApiServers,
  type TwoApiServers,
} from './support/two-api-servers.js';

/*
 * A plan against the sync that follows it: whatever users have done at both ends, the sync writes what the plan says
 * and nothing else, and a plan writes nothing at all.
 */
const { signal } = new AbortController();
const maps = wellKnown.configMaps;
const RUNS = 40;

const step = fc.record({
  name: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  value: fc.constantFrom('1', '2'),
  op: fc.constantFrom(
    ...([
      'put',
      'put',
      'remove',
      'ignore',
      'edit copy',
      'delete copy',
      'make foreign',
      'break',
      'sync',
    ] as const),
  ),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

let world: TwoApiServers;
let runs = 0;

beforeAll(async () => {
  world = await startTwoApiServers();
}, 120_000);

afterAll(() => world.close());

class Scene {
  readonly from = `agree-${(runs += 1)}`;
  readonly to = `${this.from}-dr`;
  readonly #spec: Record<string, unknown>;

  constructor(spec: Record<string, unknown>) {
    // What is broken at the source can't be brought.
    const at = '/data/broken';
    const jsonPatch = [
      { op: 'test', path: at, value: 'yes' },
      { op: 'replace', path: at, value: ['no text'] },
    ];
    this.#spec = { resourceTypes: ['configmaps'], transforms: [{ name: 'breaks', jsonPatch }], ...spec };
  }

  async do({ op, name, value }: Step): Promise<void> {
    const { sourceUser, remoteUser } = world;
    const put = (data: Record<string, string>, labels: Record<string, string> = {}) =>
      sourceUser.client.apply(maps, configMap(name, this.from, data, { labels }), {
        fieldManager: 'u',
        force: true,
      });
    const there = { resource: maps, name, namespace: this.to };
    switch (op) {
      case 'put':
        await put({ x: value });
        return;
      case 'ignore':
        await put({ x: value }, { [label.ignore]: 'true' });
        return;
      case 'break':
        await put({ x: value, broken: 'yes' });
        return;
      case 'remove':
        return missing(sourceUser.client.delete({ ...there, namespace: this.from }));
      case 'edit copy':
        return missing(
          remoteUser.client.patch(there, { data: { x: value } }, 'merge', { fieldManager: 'e' }),
        );
      case 'delete copy':
        return missing(remoteUser.client.delete(there));
      case 'make foreign':
        await remoteUser.client.create(maps, configMap(name, this.to, {})).catch(() => undefined);
        return;
      case 'sync':
        await this.sync();
        return;
    }
  }

  /** By name, with what changes at each write. */
  async copies(): Promise<Map<string, string | undefined>> {
    return byName((await world.remoteUser.client.list(maps, { namespace: this.to })).items);
  }

  /** @returns the names of what it has written and removed */
  async sync(): Promise<string[]> {
    const open = await openStandby(world, this.from, this.to, {
      ...{ spec: { ...this.#spec, sourceNamespace: this.from, destinationNamespace: this.to } },
      ...{ uid: `uid-${this.from}`, name: this.from, sourceId: await sourceId() },
    });
    const before = await this.copies();
    await open.engine.pass(signal);
    const after = await this.copies();
    await open.close();
    const names = new Set([...before.keys(), ...after.keys()]);
    return [...names].filter((name) => before.get(name) !== after.get(name)).sort();
  }

  async plan(): Promise<SyncPlan> {
    const replication = replicationSchema.parse({
      metadata: {
        ...{ name: this.from, namespace: 'dr-syncer-system', uid: `uid-${this.from}`, resourceVersion: '1' },
        creationTimestamp: '2026-01-01T00:00:00Z',
      },
      spec: {
        ...{ destinationCluster: 'standby', sourceNamespace: this.from, destinationNamespace: this.to },
        ...this.#spec,
      },
    });
    return planSync({ source: world.source, remote: world.remote, replication }, signal);
  }
}

test('Given any history of both ends, Then a sync writes exactly what the plan before it says', async () => {
  const scenario = fc.record({
    steps: fc.array(step, { minLength: 3, maxLength: 20 }),
    drift: fc.constantFrom('Repair', 'Report'),
    prune: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(scenario, async ({ steps, drift, prune }) => {
      const rules = { enabled: prune, graceSeconds: 0, maxObjects: 100, maxPercent: 100 };
      const scene = new Scene({ drift, prune: rules });
      await makeNamespace(world.sourceUser, scene.from);
      await scene.sync();
      for (const one of steps) await scene.do(one);

      const before = await scene.copies();
      const plan = await scene.plan();
      expect(await scene.copies()).toEqual(before);
      const planned = plan.objects
        .filter(({ action }) => ['create', 'update', 'repair', 'prune'].includes(action))
        .map(({ name }) => name);

      expect(await scene.sync()).toEqual(planned.sort());
      const then = await scene.plan();
      const left = then.objects.filter(({ action }) => !['fail', 'drifted', 'keep', 'skip'].includes(action));
      expect(left).toEqual([]);
      // What fails, fails for the same reason.
      const failures = ({ objects }: SyncPlan) =>
        objects.filter(({ action }) => action === 'fail').map(({ name, code }) => [name, code]);
      expect(failures(then)).toEqual(failures(plan));
    }),
    { numRuns: RUNS },
  );
}, 600_000);

let id: string | undefined;

async function sourceId(): Promise<string> {
  const ref = { resource: wellKnown.namespaces, name: 'kube-system' };
  return (id ??= (await world.sourceUser.client.get(ref)).metadata.uid ?? '');
}

function byName(items: readonly KubeObject[]): Map<string, string | undefined> {
  return new Map(items.map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
}

async function missing(call: Promise<unknown>): Promise<void> {
  await call.catch((err: unknown) => {
    if (!isNotFound(err)) throw err;
  });
}
