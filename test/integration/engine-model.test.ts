import { annotation, label } from '@dr-syncer/api';
import type { Engine } from '@dr-syncer/controller';
import { isNotFound, type KubeObject, type Resource, wellKnown } from '@dr-syncer/kube';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { type Fault, type Faults, withFaults } from './support/faults.js';
import {
  configMap,
  deployment,
  makeNamespace,
  openStandby,
  startTwoApiServers,
  type TwoApiServers,
  writes,
} from './support/two-api-servers.js';

/*
 * The engine against a model of what users do at both ends. The servers are real; what goes wrong on the way to them
 * is put between. A name that fails is printed by fast-check with the seed that makes it fail again.
 */
const maps = wellKnown.configMaps;
const deployments = wellKnown.deployments;
const names = ['a', 'b', 'c', 'd'] as const;
const NEW = { data: '', ignored: false, owned: false };

const name = fc.constantFrom(...names);
const value = fc.constantFrom('1', '2', '3');
/** At the source. */
const ofSource = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constant('put' as const), name, value }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('remove' as const), name }) },
  fc.record({ op: fc.constant('ignore' as const), name }),
  fc.record({ op: fc.constant('own' as const), name }),
  fc.record({ op: fc.constant('scale' as const), name, replicas: fc.nat(5) }),
);
/** At the destination, by somebody else. */
const ofRemote = fc.oneof(
  fc.record({ op: fc.constant('edit copy' as const), name, value }),
  fc.record({ op: fc.constant('take copy' as const), name, value }),
  fc.record({ op: fc.constant('add to copy' as const), name, value }),
  fc.record({ op: fc.constant('delete copy' as const), name }),
  fc.record({ op: fc.constant('scale copy' as const), name, replicas: fc.nat(5) }),
  fc.record({ op: fc.constant('make foreign' as const), name, value }),
  fc.record({ op: fc.constant('remove foreign' as const), name }),
);
type Op =
  typeof ofSource extends fc.Arbitrary<infer A>
    ? A | (typeof ofRemote extends fc.Arbitrary<infer B> ? B : never)
    : never;

interface SourceObject {
  data: string;
  ignored: boolean;
  owned: boolean;
}

/** What users have done, and what must come of it. */
class Model {
  readonly source = new Map<string, SourceObject>();
  readonly replicas = new Map<string, number>();
  /** Objects of others at the destination. */
  readonly foreign = new Map<string, string>();
  /** Copies that others have written to. */
  readonly touched = new Set<string>();

  isWanted(key: string): boolean {
    const object = this.source.get(key);
    return object !== undefined && !object.ignored && !object.owned;
  }
}

describe('Given an engine that follows both ends, and users of both', () => {
  let world: TwoApiServers;
  let faults: { source: Faults; remote: Faults };
  let runs = 0;

  beforeAll(async () => {
    world = await startTwoApiServers();
    faults = { source: withFaults(world.source), remote: withFaults(world.remote) };
  }, 120_000);

  afterAll(() => world.close());

  class Users {
    readonly model = new Model();
    readonly from: string;
    readonly to: string;

    constructor() {
      runs += 1;
      this.from = `model-${runs}`;
      this.to = `${this.from}-dr`;
    }

    async do(op: Op): Promise<void> {
      const { model } = this;
      const known = model.source.get(op.name);
      switch (op.op) {
        case 'put':
          return this.put(op.name, { ...NEW, ...known, data: op.value });
        case 'ignore':
          return known && this.put(op.name, { ...known, ignored: !known.ignored });
        case 'own':
          return known && this.put(op.name, { ...known, owned: !known.owned });
        case 'remove':
          model.source.delete(op.name);
          return this.#gone(world.sourceUser, maps, op.name, this.from);
        case 'scale':
          model.replicas.set(op.name, op.replicas);
          await world.sourceUser.client.apply(deployments, deployment(op.name, this.from, op.replicas), USER);
          return;
        case 'edit copy':
          return this.#onCopy(op.name, () =>
            this.#patch(maps, op.name, { data: { x: op.value } }, 'kubectl-edit'),
          );
        case 'add to copy':
          return this.#onCopy(op.name, () =>
            this.#patch(maps, op.name, { data: { other: op.value } }, 'operator'),
          );
        case 'take copy':
          return this.#onCopy(op.name, async () => {
            const there = await world.remoteUser.client.find({
              resource: maps,
              name: op.name,
              namespace: this.to,
            });
            if (there === undefined) return;
            // The uid, so that this never makes an object.
            const { uid = '' } = there.metadata;
            const object = configMap(op.name, this.to, { x: op.value }, { uid });
            const options = { fieldManager: 'argocd', force: true };
            await world.remoteUser.client.apply(maps, object, options).catch(() => undefined);
          });
        case 'delete copy':
          return this.#onCopy(op.name, () => this.#gone(world.remoteUser, maps, op.name, this.to));
        case 'scale copy':
          return this.#patch(deployments, op.name, { spec: { replicas: op.replicas } }, 'hpa');
        case 'make foreign': {
          const object = configMap(op.name, this.to, { theirs: op.value });
          const made = await world.remoteUser.client
            .create(maps, object, { fieldManager: 'somebody' })
            .catch(() => undefined);
          if (made !== undefined) model.foreign.set(op.name, op.value);
          return;
        }
        case 'remove foreign':
          if (!model.foreign.delete(op.name)) return;
          return this.#gone(world.remoteUser, maps, op.name, this.to);
      }
    }

    async put(key: string, object: SourceObject): Promise<void> {
      const same = JSON.stringify(this.model.source.get(key)) === JSON.stringify(object);
      this.model.source.set(key, object);
      if (same) return;
      const metadata = {
        labels: object.ignored ? { [label.ignore]: 'true' } : {},
        ...(object.owned && { ownerReferences: [owner] }),
      };
      await world.sourceUser.client.apply(
        maps,
        configMap(key, this.from, { x: object.data }, metadata),
        USER,
      );
    }

    async #onCopy(key: string, act: () => Promise<void>): Promise<void> {
      if (this.model.foreign.has(key)) return;
      this.model.touched.add(key);
      await act();
    }

    async #patch(resource: Resource, key: string, body: object, fieldManager: string): Promise<void> {
      const ref = { resource, name: key, namespace: this.to };
      await world.remoteUser.client.patch(ref, body, 'merge', { fieldManager }).catch((err: unknown) => {
        if (!isNotFound(err)) throw err;
      });
    }

    async #gone(
      at: typeof world.remoteUser,
      resource: Resource,
      key: string,
      namespace: string,
    ): Promise<void> {
      await at.client.delete({ resource, name: key, namespace }).catch((err: unknown) => {
        if (!isNotFound(err)) throw err;
      });
    }

    /**
     * What is not as it should be, as a list of sentences.
     *
     * @param mayGiveUp where answers get lost, a copy that others wrote to within the second of its making may be taken
     * for theirs: it is let go, and is counted as failed
     */
    async complaints(pruned: boolean, mayGiveUp: boolean): Promise<string[]> {
      const { model, to } = this;
      const [copies, workloads] = await Promise.all([
        byName(world.remoteUser.client.list(maps, { namespace: to })),
        byName(world.remoteUser.client.list(deployments, { namespace: to })),
      ]);
      const found: string[] = [];
      for (const key of names) {
        const copy = copies.get(key);
        const data = copy?.['data'] as Record<string, string> | undefined;
        const theirs = model.foreign.get(key);
        if (theirs !== undefined) {
          const whole = JSON.stringify([data, copy?.metadata.labels ?? {}]);
          if (whole !== JSON.stringify([{ theirs }, {}])) found.push(`${key} of somebody else is ${whole}`);
        } else if (mayGiveUp && model.touched.has(key) && copy && copy.metadata.labels === undefined) {
          continue;
        } else if (model.isWanted(key)) {
          const wanted = model.source.get(key)?.data;
          if (data?.['x'] !== wanted) found.push(`${key} is ${data?.['x']}, not ${wanted}`);
        } else if (pruned && !model.source.has(key) && copy !== undefined) {
          found.push(`${key} is still there`);
        }
        const replicas = model.replicas.get(key);
        const workload = workloads.get(key);
        const spec = workload?.['spec'] as { replicas?: number } | undefined;
        if (replicas !== undefined && spec?.replicas !== 0)
          found.push(`${key} has ${spec?.replicas} replicas`);
        const kept = workload?.metadata.annotations?.[annotation.originalReplicas];
        if (replicas !== undefined && kept !== String(replicas)) found.push(`${key} remembers ${kept}`);
      }
      return found;
    }
  }

  const USER = { fieldManager: 'user', force: true };
  const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: 'u-1', controller: true };

  const start = async (users: Users, spec: Record<string, unknown> = {}) => {
    await makeNamespace(world.sourceUser, users.from);
    // Everything else would be watched for nothing.
    const options = { resourceTypes: ['configmaps', 'deployments'], ...spec };
    const open = await openStandby(world, users.from, users.to, {
      ...{ watch: true, spec: options, repair: { minMs: 100, maxMs: 400 } },
    });
    await open.engine.pass(new AbortController().signal);
    return open;
  };

  const settled = async (
    users: Users,
    engine: Engine,
    { pruned = false, mayGiveUp = false, ms = 20_000 },
  ): Promise<string[]> => {
    const deadline = performance.now() + ms;
    for (;;) {
      await engine.idle();
      const complaints = await users.complaints(pruned, mayGiveUp);
      if (complaints.length === 0 || performance.now() > deadline) return complaints;
      await pause(50);
    }
  };

  test('When anything happens, with faults on the way, Then both ends come together and nothing of others is touched', async () => {
    const fault = fc.constantFrom<(Fault | undefined)[]>(
      ...([
        undefined,
        undefined,
        undefined,
        'lost request',
        'lost answer',
        'unavailable',
        'busy',
        'slow',
      ] as const),
    );
    const step = fc.oneof(
      { weight: 4, arbitrary: ofSource },
      { weight: 3, arbitrary: ofRemote },
      fc.record({ op: fc.constant('break watches' as const), expired: fc.boolean(), source: fc.boolean() }),
      fc.record({ op: fc.constant('wait' as const), ms: fc.nat(60) }),
    );
    const scenario = fc.record({
      steps: fc.array(step, { minLength: 5, maxLength: 30 }),
      faults: fc.array(fault, { minLength: 1, maxLength: 12 }),
      prune: fc.boolean(),
    });
    world.sourceCalls.length = 0;

    await fc.assert(
      fc.asyncProperty(scenario, async ({ steps, faults: sequence, prune }) => {
        const users = new Users();
        faults.remote.deleted.length = 0;
        const rules = { enabled: prune, graceSeconds: 0, maxObjects: 100, maxPercent: 100 };
        const open = await start(users, { prune: rules });
        const mayGiveUp = sequence.includes('lost answer');
        try {
          faults.remote.writes = sequence;
          for (const one of steps) {
            if (one.op === 'wait') await pause(one.ms);
            else if (one.op === 'break watches')
              faults[one.source ? 'source' : 'remote'].breakWatches(one.expired);
            else await users.do(one);
          }
          faults.remote.writes = [];

          expect(await settled(users, open.engine, { pruned: prune, mayGiveUp })).toEqual([]);
          expect(faults.remote.deleted.filter((one) => users.model.foreign.has(one) && !prune)).toEqual([]);
          if (!prune) expect(faults.remote.deleted).toEqual([]);
        } finally {
          faults.remote.writes = [];
          await open.close();
        }
      }),
      { numRuns: RUNS },
    );
    expect(writes(world.sourceCalls)).toEqual([]);
  }, 600_000);

  test('When one thing happens after the other Then there is one write for each change that matters, and none else', async () => {
    // The fourth name is the fence's.
    const step: fc.Arbitrary<Op> = fc.oneof(
      ofSource.filter((one) => one.op !== 'scale' && one.name !== 'd'),
      ofRemote.filter((one) => one.op !== 'scale copy' && !one.op.endsWith('foreign') && one.name !== 'd'),
    );

    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), async (steps) => {
        const users = new Users();
        const open = await start(users);
        const copies = new Map<string, string>();
        try {
          for (const [i, one] of steps.entries()) {
            world.remoteCalls.length = 0;
            const expected = expectedWrites(users.model, copies, one);
            await users.do(one);
            // Watches keep their order, so what was seen of this was seen after the step itself.
            await users.put('d', { ...NEW, data: `fence ${i}` });
            expect(await settled(users, open.engine, {})).toEqual([]);
            await pause(60);
            await open.engine.idle();

            expect([one, writes(world.remoteCalls).length - 1]).toEqual([one, expected]);
            // Repairs of one object follow each other at a distance.
            await pause(one.op === 'edit copy' || one.op === 'take copy' ? 450 : 0);
          }
        } finally {
          await open.close();
        }
      }),
      { numRuns: RUNS },
    );
  }, 600_000);
});

const RUNS = 15;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function byName(list: Promise<{ items: KubeObject[] }>): Promise<Map<string, KubeObject>> {
  return new Map((await list).items.map((item) => [item.metadata.name, item]));
}

/** What others have written to a copy that was not wanted: when it is wanted again, it is put right. */
const EDITED = 'edited';

/**
 * How many writes the step must cause. Keeps in `copies` what the standby has then (of ours: the value of `x`).
 */
function expectedWrites(model: Model, copies: Map<string, string>, step: Op): number {
  const before = model.source.get(step.name);
  const bring = (wanted: string): number => {
    const had = copies.get(step.name);
    copies.set(step.name, wanted);
    return had === wanted ? 0 : 1;
  };
  const kept = { data: '', ignored: false, owned: false, ...before };
  const wants = (object: SourceObject): boolean => !object.ignored && !object.owned;
  switch (step.op) {
    case 'put':
      return wants(kept) ? bring(step.value) : 0;
    case 'ignore':
      return before && wants({ ...kept, ignored: !kept.ignored }) ? bring(kept.data) : 0;
    case 'own':
      return before && wants({ ...kept, owned: !kept.owned }) ? bring(kept.data) : 0;
    case 'edit copy':
    case 'take copy': {
      const copy = copies.get(step.name);
      if (copy === undefined || copy === step.value) return 0;
      if (model.isWanted(step.name)) return 1;
      copies.set(step.name, EDITED);
      return 0;
    }
    case 'delete copy':
      if (!copies.has(step.name)) return 0;
      if (model.isWanted(step.name)) return 1;
      copies.delete(step.name);
      return 0;
    case 'remove':
    case 'add to copy':
    case 'scale':
    case 'scale copy':
    case 'make foreign':
    case 'remove foreign':
      return 0;
  }
}
