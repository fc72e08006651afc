import { randomBytes } from 'node:crypto';

import { annotation } from '@dr-syncer/api';
import { activationPatch } from '@dr-syncer/controller';
import { KubeError, type KubeObject, type Resource, wellKnown } from '@dr-syncer/kube';

import { copyForDrill } from '../failover/controller-request.js';
import { oldestState, releaseVolumes } from '../failover/failover.js';
import { listPlaceholders } from '../failover/inventory.js';
import { readLastSyncs } from '../failover/last-sync.js';
import type { PlannedOptions } from '../failover/planned.js';
import { startStandby } from '../failover/start.js';
import type { StandbyObject } from '../failover/workloads.js';
import type { CheckResult } from './check.js';
import { drillClaim, standbyClaims } from './claims.js';
import { drillPolicy } from './isolation.js';
import { DRILL_MANAGER, drillName, drillNamespace } from './names.js';
import { type DrillObject, drillObjects, type DrillSelection } from './objects.js';
import { type DrillReport, type DrillStep, problemsOf, type StepName } from './report.js';
import { removeLeftovers, removeRoom, whileBeating } from './room.js';

export interface DrillOptions extends PlannedOptions {
  /** Shown in the report; undefined: there is none. */
  readonly checkName: string | undefined;
  /** Runs when everything is up. */
  readonly check: (namespace: string, signal: AbortSignal) => Promise<CheckResult>;
  /** CronJobs and Jobs run as well. */
  readonly jobs: boolean;
  /** Addresses outside that the copy may reach (CIDR). */
  readonly egress: readonly string[];
  /** For all copies of volumes, in place of the standby's classes. */
  readonly storageClass: string | undefined;
}

type Result = Omit<DrillReport, 'removed' | 'namespace' | 'startedAt' | 'steps' | 'result'>;

const RANK_MS = 60_000;
const networkPolicies: Resource = {
  ...{ group: 'networking.k8s.io', version: 'v1', plural: 'networkpolicies', kind: 'NetworkPolicy' },
  namespaced: true,
};

/**
 * Starts a copy of the standby in a namespace of its own, has it checked, and removes it, whatever came of it. The standby
 * is read and nothing else, and goes on being synced.
 *
 * @throws CommandFailure, KubeError; then too nothing is left
 */
export async function drill(options: DrillOptions): Promise<DrillReport> {
  const { pair, say, signal } = options;
  const { client } = pair.remote;
  const standby = pair.route.destinationNamespace;
  const startedAt = new Date().toISOString();
  const steps: DrillStep[] = [];
  const timed: Timed = async (name, work) => {
    const began = performance.now();
    try {
      return await work();
    } finally {
      steps.push({ name, seconds: Math.round(performance.now() - began) / 1000 });
    }
  };
  await removeLeftovers(standby, { client, say, signal });
  const room = await makeRoom(options);
  const namespace = room.metadata.name;
  say(`made namespace ${namespace}`);
  const clean = () =>
    timed('remove', async () => {
      await withdraw(options, namespace);
      return removeRoom(room, { client, say });
    });
  let result: Result;
  try {
    result = await whileBeating(room, { client, signal }, (alive) =>
      rehearse({ ...options, signal: alive }, namespace, timed),
    );
  } catch (err) {
    await clean();
    throw err;
  }
  const removed = await clean();
  const problems = [...result.problems, ...(removed ? [] : [`namespace ${namespace} is left`])];
  return {
    ...{ ...result, namespace, startedAt, problems, steps, removed },
    result: problems.length === 0 ? 'Passed' : 'Failed',
  };
}

type Timed = <T>(name: StepName, work: () => Promise<T>) => Promise<T>;

async function makeRoom({ pair, signal }: DrillOptions): Promise<KubeObject> {
  const { client } = pair.remote;
  const standby = pair.route.destinationNamespace;
  const name = drillName(standby, randomBytes(3).toString('hex'));
  const present = await client.get({ resource: wellKnown.namespaces, name: standby }, { signal });
  const namespace = drillNamespace(present, name);
  const { annotations } = namespace.metadata;
  namespace.metadata.annotations = { ...annotations, [annotation.drillAlive]: new Date().toISOString() };
  return client.create(wellKnown.namespaces, namespace, { fieldManager: DRILL_MANAGER, signal });
}

async function rehearse(options: DrillOptions, namespace: string, timed: Timed): Promise<Result> {
  const { pair, signal, checkName } = options;
  const standby = pair.route.destinationNamespace;
  const { client } = pair.remote;
  await timed('prepare', () => prepare(options, namespace));
  const stateOf = oldestState({ lastSyncs: await readLastSyncs(client, standby, signal) });
  const rpoSeconds =
    stateOf === undefined ? undefined : Math.max(0, (Date.now() - Date.parse(stateOf)) / 1000);
  const volumes = await timed('copy volumes', () => copyForDrill(pair, namespace, options));
  const selection = await drillObjects(pair.remote, standby, namespace, signal);
  const made = await timed('create objects', () => create(options, selection.objects));
  const toStart = startable(made.objects, options.jobs);
  const began = performance.now();
  const notUp = await timed('start', () => start(options, namespace, toStart));
  const isUp = notUp.length === 0;
  const rtoSeconds = (performance.now() - began) / 1000;
  const check =
    isUp && checkName !== undefined
      ? await timed('check', () => options.check(namespace, signal))
      : undefined;
  return {
    problems: problemsOf({ failed: made.failed, notUp, check }),
    ...(stateOf !== undefined && { stateOf }),
    ...(rpoSeconds !== undefined && { rpoSeconds }),
    ...(isUp && { rtoSeconds }),
    volumes: volumes.map(({ name, phase, bytesTotal, filesTotal }) => ({
      ...{ name, phase },
      ...(bytesTotal !== undefined && { bytesTotal }),
      ...(filesTotal !== undefined && { filesTotal }),
    })),
    objects: made.objects.length,
    started: toStart.map(({ object }) => `${object.kind} ${object.metadata.name}`),
    leftOut: withoutJobs(selection, options.jobs),
    ...(check !== undefined && { check: { command: checkName ?? '', exitCode: check.exitCode } }),
  };
}

/** First of all nothing gets out, then there are claims to be filled. */
async function prepare(
  { pair, egress, storageClass, signal }: DrillOptions,
  namespace: string,
): Promise<void> {
  const { client } = pair.remote;
  const standby = pair.route.destinationNamespace;
  const write = { fieldManager: DRILL_MANAGER, signal };
  await client.create(networkPolicies, drillPolicy(namespace, standby, egress), write);
  for (const claim of await standbyClaims(client, standby, signal)) {
    const copy = drillClaim(claim, namespace, { standby, storageClass });
    await client.create(wellKnown.persistentVolumeClaims, copy, write);
  }
}

interface Made {
  readonly objects: readonly DrillObject[];
  /** `Kind name: why`. */
  readonly failed: readonly string[];
}

async function create({ pair, signal }: DrillOptions, wanted: readonly DrillObject[]): Promise<Made> {
  const objects: DrillObject[] = [];
  const failed: string[] = [];
  for (const { resource, object } of inOrder(wanted)) {
    try {
      const options = { fieldManager: DRILL_MANAGER, force: true, signal };
      objects.push({ resource, object: await pair.remote.client.apply(resource, object, options) });
    } catch (err) {
      if (!(err instanceof KubeError)) throw err;
      failed.push(`${resource.kind} ${object.metadata.name}: ${err.message}`);
    }
  }
  return { objects, failed };
}

/** Accounts and configuration before what uses them. */
function inOrder(objects: readonly DrillObject[]): DrillObject[] {
  const late = ({ resource: { group } }: DrillObject) => Number(group === 'apps' || group === 'batch');
  return [...objects].sort((a, b) => late(a) - late(b));
}

/** What runs in the drill. Pure. */
export function startable(objects: readonly DrillObject[], jobs: boolean): StandbyObject[] {
  return objects.flatMap(({ resource, object }) => {
    if (resource.group === 'batch' && !jobs) return [];
    const whole = { ...object, kind: resource.kind };
    const patch = activationPatch(whole, new Map());
    return patch === undefined ? [] : [{ resource, object: whole, patch }];
  });
}

/** CronJobs and Jobs are there and stay suspended, unless they were asked for. Pure. */
function withoutJobs({ objects, left }: DrillSelection, jobs: boolean): DrillReport['leftOut'] {
  if (jobs) return left;
  const idle = objects.filter(({ resource }) => resource.group === 'batch');
  const reason = 'suspended: --jobs runs it';
  return [
    ...left,
    ...idle.map(({ resource, object }) => ({ kind: resource.kind, name: object.metadata.name, reason })),
  ];
}

/** @returns what is not up */
async function start(
  { pair, say, signal, timeoutMs }: DrillOptions,
  namespace: string,
  objects: readonly StandbyObject[],
): Promise<string[]> {
  const { client } = pair.remote;
  await releaseVolumes(client, await listPlaceholders(client, namespace, signal), say, signal);
  return startStandby(objects, { client, say, signal, timeoutMs, rankTimeoutMs: RANK_MS });
}

/** A request that was not answered is taken off, so that the controller does not go on with it. */
async function withdraw({ pair: { source, ref }, say }: DrillOptions, name: string): Promise<void> {
  const signal = AbortSignal.timeout(10_000);
  try {
    const present = await source.client.find(ref, { signal });
    if (present?.metadata.annotations?.[annotation.drill] !== name) return;
    const body = { metadata: { annotations: { [annotation.drill]: null } } };
    await source.client.patch(ref, body, 'merge', { fieldManager: DRILL_MANAGER, signal });
  } catch (err) {
    // The controller finds the namespace gone.
    say(`the request at the source could not be withdrawn: ${String(err)}`);
  }
}
