import { FIELD_MANAGER, label } from '@dr-syncer/api';
import { compileDesired, LAST_SYNC_CONFIG_MAP, selectTypes, sourceFacts } from '@dr-syncer/controller';
import { type ApiResource, groupVersionOf, type KubeClient, type KubeObject } from '@dr-syncer/kube';

import type { Pair } from './pair.js';

/** Something about the objects of an active standby that is not as the source has it, and will not be taken back. */
export interface Conflict {
  readonly kind: string;
  readonly name: string;
  readonly what: 'changed' | 'new' | 'missing';
  /** Who and which fields, for people. */
  readonly detail: string;
}

interface FieldsEntry {
  readonly manager?: string;
  readonly operation?: string;
  readonly time?: string;
  readonly subresource?: string;
  readonly fieldsV1?: Readonly<Record<string, unknown>>;
}

/** Parts of Kubernetes that write to what others made; none of it is anybody's wish. */
const SYSTEM_MANAGER =
  /^(kube-controller-manager|kube-scheduler|kubelet|kube-apiserver|cloud-controller-manager)$/;
/** Made and kept by the cluster itself. */
const OF_THE_CLUSTER = new Set(['Event', 'Lease', 'Endpoints', 'EndpointSlice', 'Pod', 'ControllerRevision']);
const LISTS_AT_A_TIME = 8;
const MAX_FIELDS = 5;

/**
 * What was changed, made or removed at the active side since it was started.
 *
 * @param since ISO 8601
 * @throws DrError of the Replication's rules; KubeError
 */
export async function findConflicts(
  { source, remote, replication, route }: Pair,
  since: string,
  signal: AbortSignal,
): Promise<Conflict[]> {
  const { types } = await selectTypes(source.discovery, replication.spec, signal);
  const facts = await sourceFacts(source, types, signal);
  const desiredOf = compileDesired({ replication, ...route, facts: () => facts });
  const served = await remote.discovery.resources({ namespaced: true, verbs: ['list'] }, signal);
  const conflicts: Conflict[] = [];
  const waiting = [...types];
  const work = async (): Promise<void> => {
    for (let type = waiting.pop(); type !== undefined; type = waiting.pop()) {
      const kind = type;
      const at = served.find(({ group, plural }) => group === kind.group && plural === kind.plural);
      if (at === undefined || OF_THE_CLUSTER.has(kind.kind)) continue;
      const [here, there] = await Promise.all([
        listed(source.client, kind, route.sourceNamespace, signal),
        listed(remote.client, at, route.destinationNamespace, signal),
      ]);
      const wanted = here.flatMap((object) => {
        const desired = desiredOf(object, kind);
        return desired.outcome === 'object' ? [desired.object] : [];
      });
      conflicts.push(...conflictsOf(wanted, there, since));
    }
  };
  await Promise.all(Array.from({ length: LISTS_AT_A_TIME }, work));
  return conflicts.sort((a, b) => (`${a.kind}/${a.name}` < `${b.kind}/${b.name}` ? -1 : 1));
}

/**
 * Of the objects of one kind. Pure.
 *
 * @param wanted as the source wants them at the standby
 */
export function conflictsOf(
  wanted: readonly KubeObject[],
  present: readonly KubeObject[],
  since: string,
): Conflict[] {
  const names = new Set(present.map(({ metadata }) => metadata.name));
  const missing = wanted
    .filter(({ metadata }) => !names.has(metadata.name))
    .map((object) => conflict(object, 'missing', 'removed at the standby, or never synced'));
  return [...present.flatMap((object) => changeOf(object, since)), ...missing];
}

function changeOf(object: KubeObject, since: string): Conflict[] {
  const { labels = {}, creationTimestamp = '', ownerReferences = [], managedFields = [] } = object.metadata;
  const from = Date.parse(since.replace(/\.\d+Z$/, 'Z'));
  if (labels[label.managedBy] !== FIELD_MANAGER) {
    const isNew = Date.parse(creationTimestamp) >= from;
    const isOurs = object.metadata.name === LAST_SYNC_CONFIG_MAP;
    return isNew && !isOurs && ownerReferences.length === 0
      ? [conflict(object, 'new', `made at ${creationTimestamp}`)]
      : [];
  }
  const foreign = (managedFields as readonly FieldsEntry[]).filter(
    ({ manager = '', time = '', subresource }) =>
      Date.parse(time) >= from &&
      (subresource === undefined || subresource === 'scale') &&
      !SYSTEM_MANAGER.test(manager) &&
      !manager.startsWith(FIELD_MANAGER),
  );
  if (foreign.length === 0) return [];
  const by = foreign.map(({ manager = 'unknown', fieldsV1 }) => `${fieldNames(fieldsV1)} by ${manager}`);
  return [conflict(object, 'changed', by.join('; '))];
}

/** The paths that an entry of `managedFields` owns, the first few of them. */
export function fieldNames(fields: Readonly<Record<string, unknown>> = {}): string {
  const paths = [...leaves(fields, '')];
  const more = paths.length > MAX_FIELDS ? ` and ${paths.length - MAX_FIELDS} more` : '';
  return paths.slice(0, MAX_FIELDS).join(', ') + more;
}

/** `f:name` is a field, `k:{...}` an item of a list by its keys, `v:"..."` by its value, `.` the thing itself. */
function* leaves(fields: Readonly<Record<string, unknown>>, path: string): Generator<string> {
  const inner = Object.entries(fields).filter(([key]) => key !== '.');
  if (inner.length === 0 && path !== '') yield path;
  for (const [key, value] of inner) {
    const name = key.startsWith('f:') ? key.slice(2) : `[${key.slice(2)}]`;
    const next = path === '' || name.startsWith('[') ? `${path}${name}` : `${path}.${name}`;
    const isRecord = typeof value === 'object' && value !== null;
    yield* isRecord ? leaves(value as Record<string, unknown>, next) : [next];
  }
}

function conflict({ kind, metadata }: KubeObject, what: Conflict['what'], detail: string): Conflict {
  return { kind, name: metadata.name, what, detail };
}

async function listed(
  client: KubeClient,
  type: ApiResource,
  namespace: string,
  signal: AbortSignal,
): Promise<KubeObject[]> {
  const { items } = await client.list(type, { namespace, signal });
  return items.map((item) => ({ ...item, apiVersion: groupVersionOf(type), kind: type.kind }));
}
