import { isDeepStrictEqual } from 'node:util';

import { API_GROUP, type DrError, label, toDrError } from '@dr-syncer/api';
import {
  activationPatch,
  canRun,
  mergePatched,
  parkingPatch,
  type ScalePaths,
  sourceFacts,
} from '@dr-syncer/controller';
import { type ApiResource, groupVersionOf, type KubeObject } from '@dr-syncer/kube';

import type { PersonsCluster } from '../cluster-flags.js';
import type { StandbyObject } from './workloads.js';

/** An object of a namespace that runs something, wherever it came from. */
export interface Workload extends Pick<StandbyObject, 'resource' | 'object'> {
  /** A merge patch that brings it to rest with the numbers noted on itself; undefined: it is at rest and noted. */
  readonly stop: Record<string, unknown> | undefined;
  /** Undoes it; undefined: nothing is noted. */
  readonly start: Record<string, unknown> | undefined;
  /** Nothing of it runs, noted or not. */
  readonly atRest: boolean;
  /** It can't be brought to rest, and why. */
  readonly problem: DrError | undefined;
}

/** All that can run in a namespace and that nothing else there starts. @throws KubeError */
export async function workloadsOf(
  cluster: Pick<PersonsCluster, 'client' | 'discovery'>,
  namespace: string,
  signal: AbortSignal,
): Promise<Workload[]> {
  const { client, discovery } = cluster;
  const types = await discovery.resources({ namespaced: true, verbs: ['list', 'patch'] }, signal);
  const { scalePaths } = await sourceFacts(cluster, types, signal);
  const running = types.filter((type) => canRun(stub(type), scalePaths));
  const lists = await Promise.all(
    running.map(async (resource) => {
      const { items } = await client.list(resource, { namespace, signal });
      return items.map((item) => ({
        resource,
        object: { ...item, apiVersion: groupVersionOf(resource), kind: resource.kind },
      }));
    }),
  );
  return lists
    .flat()
    .filter(({ object }) => !isStartedByAnother(object, scalePaths) && !isFinishedJob(object))
    .map(({ resource, object }) => ({ resource, object, ...restOf(object, scalePaths) }));
}

/** How an object is brought to rest. Pure. */
export function restOf(
  object: KubeObject,
  scalePaths: ScalePaths,
): Pick<Workload, 'stop' | 'start' | 'atRest' | 'problem'> {
  const start = activationPatch(object, scalePaths);
  try {
    const patch = parkingPatch(withoutOverride(object), scalePaths);
    const resting = patch === undefined ? object : mergePatched(object, patch);
    const stop = isDeepStrictEqual(resting, object) ? undefined : patch;
    const atRest = isDeepStrictEqual(withoutNotes(resting as KubeObject), withoutNotes(object));
    return { stop, start, atRest, problem: undefined };
  } catch (err) {
    return { stop: undefined, start, atRest: false, problem: toDrError(err) };
  }
}

/** The label says how many a standby keeps running; here nothing may. */
function withoutOverride(object: KubeObject): KubeObject {
  const kept = Object.entries(object.metadata.labels ?? {}).filter(([key]) => key !== label.scaleOverride);
  return { ...object, metadata: { ...object.metadata, labels: Object.fromEntries(kept) } };
}

function withoutNotes(object: KubeObject): unknown {
  const kept = Object.entries(object.metadata.annotations ?? {}).filter(
    ([key]) => !key.startsWith(`${API_GROUP}/`),
  );
  return { ...object, metadata: { ...object.metadata, annotations: Object.fromEntries(kept) } };
}

/** A ReplicaSet of a Deployment goes with it; what an unknown kind keeps may have to be stopped by itself, Jobs always. */
function isStartedByAnother({ kind, metadata }: KubeObject, scalePaths: ScalePaths): boolean {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (owner === undefined || kind === 'Job') return false;
  return canRun(
    { apiVersion: owner.apiVersion, kind: owner.kind, metadata: { name: owner.name } },
    scalePaths,
  );
}

function isFinishedJob({ kind, status }: KubeObject): boolean {
  const { conditions = [] } = (status ?? {}) as { conditions?: { type: string; status: string }[] };
  return (
    kind === 'Job' &&
    conditions.some((one) => (one.type === 'Complete' || one.type === 'Failed') && one.status === 'True')
  );
}

function stub(type: ApiResource): KubeObject {
  return { apiVersion: groupVersionOf(type), kind: type.kind, metadata: { name: '' } };
}
