import { annotation, DrError, FIELD_MANAGER, label, type Replication } from '@dr-syncer/api';
import {
  type ApiResource,
  isFieldConflict,
  isForbidden,
  isNotFound,
  KubeError,
  type KubeObject,
  kubeToDrError,
  resourceName,
  unsafeIntegers,
  wellKnown,
} from '@dr-syncer/kube';
import PQueue from 'p-queue';

import type { Cluster } from '../clusters/cluster.js';
import { compileDesired, type DesiredOf } from './desired.js';
import { rankOf } from './order.js';
import { ResourceReport } from './report.js';
import { requireKnown, selectTypes } from './selection.js';

export interface ObjectSync {
  readonly source: Cluster;
  readonly remote: Cluster;
  readonly replication: Replication;
  readonly sourceNamespace: string;
  readonly destinationNamespace: string;
}

/** Writes at the same time against one server: enough to hide a round trip, few enough for its fairness queues. */
const PARALLEL_WRITES = 16;
const PARALLEL_LISTS = 8;

/** An object at the destination as far as the decision needs it. */
interface Present {
  readonly hash: string | undefined;
  readonly replication: string | undefined;
}

interface Work {
  readonly type: ApiResource;
  readonly desired: KubeObject;
  readonly present: Present | undefined;
}

/**
 * Brings the objects of a namespace to the destination: rank by rank, in parallel inside a rank, each failure kept to
 * its object. What has the hash of the desired state already is not written.
 *
 * @throws DrError UnknownResourceType; KubeError when the source can't be listed at all
 */
export async function syncObjects(sync: ObjectSync, signal: AbortSignal): Promise<ResourceReport> {
  const report = new ResourceReport();
  const selection = await selectTypes(sync.source.discovery, sync.replication.spec, signal);
  requireKnown(selection);
  const { types } = selection;
  const desiredOf = compileDesired(sync);
  const lists = new PQueue({ concurrency: PARALLEL_LISTS });
  const work = (
    await lists.addAll(types.map((type) => () => collect(sync, desiredOf, type, report, signal)))
  ).flat();
  const classes = await storageClasses(sync, work, signal);
  const ranks = [...new Set(work.map(({ desired }) => rankOf(desired.kind)))].sort((a, b) => a - b);
  const writes = new PQueue({ concurrency: PARALLEL_WRITES });
  for (const rank of ranks) {
    const batch = work.filter(({ desired }) => rankOf(desired.kind) === rank);
    await writes.addAll(batch.map((one) => () => bring(sync, one, classes, report, signal)));
    signal.throwIfAborted();
  }
  return report;
}

/** What of one type there is to bring. A type that can't be listed is a failure of that type. */
async function collect(
  sync: ObjectSync,
  desiredOf: DesiredOf,
  type: ApiResource,
  report: ResourceReport,
  signal: AbortSignal,
): Promise<Work[]> {
  try {
    const sources = await sync.source.client.list(type, { namespace: sync.sourceNamespace, signal });
    const wanted: KubeObject[] = [];
    for (const source of sources.items) {
      const desired = desiredOf(source, type);
      if (desired.outcome === 'object') wanted.push(desired.object);
      else if (desired.outcome === 'skipped') report.skipped();
      else report.failed(type.kind, source.metadata.name, desired.error);
    }
    if (wanted.length === 0) return [];
    const present = await presentObjects(sync, type, signal);
    return wanted.map((desired) => ({ type, desired, present: present.get(desired.metadata.name) }));
  } catch (err) {
    signal.throwIfAborted();
    // Served by discovery, but not by the server behind it, or not listable after all.
    if (err instanceof KubeError && err.status === 405) return [];
    report.failed(type.kind, '*', kubeToDrError(err));
    return [];
  }
}

async function presentObjects(
  { remote, destinationNamespace }: ObjectSync,
  type: ApiResource,
  signal: AbortSignal,
): Promise<Map<string, Present>> {
  try {
    const found = new Map<string, Present>();
    for await (const page of remote.client.pages(type, { namespace: destinationNamespace, signal })) {
      if (page.restarted) found.clear();
      for (const { metadata } of page.items) {
        found.set(metadata.name, {
          hash: metadata.annotations?.[annotation.desiredHash],
          replication: metadata.labels?.[label.replication],
        });
      }
    }
    return found;
  } catch (err) {
    if (!isNotFound(err)) throw err;
    throw new DrError('ObjectRejected', `the remote cluster does not serve ${resourceName(type)}`);
  }
}

/** Names of the storage classes at the destination; undefined when no claim asks for one. */
async function storageClasses(
  { remote }: ObjectSync,
  work: readonly Work[],
  signal: AbortSignal,
): Promise<ReadonlySet<string> | undefined> {
  if (!work.some(({ desired }) => storageClassOf(desired) !== undefined)) return undefined;
  const { items } = await remote.client.list(wellKnown.storageClasses, { signal });
  return new Set(items.map(({ metadata }) => metadata.name));
}

/** `""` asks for a volume without a class. */
function storageClassOf(object: KubeObject): string | undefined {
  if (object.kind !== 'PersistentVolumeClaim') return undefined;
  const name = (object['spec'] as { storageClassName?: string } | undefined)?.storageClassName;
  return name === '' ? undefined : name;
}

/** Without this the claim would be there and wait for ever. */
function checkStorageClass(desired: KubeObject, classes: ReadonlySet<string> | undefined): void {
  const name = storageClassOf(desired);
  if (name === undefined || classes?.has(name) === true) return;
  throw new DrError('StorageClassNotFound', `the remote cluster has no storage class ${name}`);
}

/** JavaScript would write another number than the one it read. */
function checkNumbers(desired: KubeObject): void {
  const [first] = unsafeIntegers(desired);
  if (first === undefined) return;
  throw new DrError('ObjectRejected', `${first} is an integer beyond 2^53, which can't be copied exactly`);
}

async function bring(
  sync: ObjectSync,
  work: Work,
  classes: ReadonlySet<string> | undefined,
  report: ResourceReport,
  signal: AbortSignal,
): Promise<void> {
  const { type, desired, present } = work;
  const { name } = desired.metadata;
  if (
    present?.hash !== undefined &&
    present.hash === desired.metadata.annotations?.[annotation.desiredHash]
  ) {
    report.unchanged(desired.kind);
    return;
  }
  try {
    checkOwner(sync, present, name);
    checkStorageClass(desired, classes);
    checkNumbers(desired);
    await sync.remote.client.apply(type, desired, {
      fieldManager: FIELD_MANAGER,
      force: present !== undefined,
      signal,
    });
    report.applied(desired.kind);
  } catch (err) {
    signal.throwIfAborted();
    report.failed(desired.kind, name, rejection(err));
  }
}

/** An object that is there and does not say that this Replication made it belongs to somebody else. */
function checkOwner({ replication }: ObjectSync, present: Present | undefined, name: string): void {
  if (present === undefined || present.replication === replication.metadata.uid) return;
  const whose = present.replication === undefined ? 'not made by DR-Syncer' : 'made by another Replication';
  throw new DrError('ForeignObject', `${name} exists at the destination and was ${whose}`);
}

function rejection(err: unknown): DrError {
  if (err instanceof KubeError && !isForbidden(err)) {
    if (isFieldConflict(err)) return new DrError('ObjectConflict', err.message, { cause: err });
    if (err.status >= 400 && err.status < 500 && err.status !== 401 && err.status !== 429) {
      return new DrError('ObjectRejected', err.message, { cause: err });
    }
  }
  return kubeToDrError(err);
}
