import { annotation, label, replicationSchema } from '@dr-syncer/api';
import { compileDesired, podTemplates } from '@dr-syncer/controller';
import { type ApiResource, groupVersionOf, type KubeClient, type KubeObject } from '@dr-syncer/kube';

import type { PersonsCluster } from '../cluster-flags.js';
import { reachOf } from './isolation.js';

export interface DrillObject {
  readonly resource: ApiResource;
  /** At rest, as it is to be in the drill. */
  readonly object: KubeObject;
}

/** An object that the copy does without, and why. */
export interface LeftOut {
  readonly kind: string;
  readonly name: string;
  readonly reason: string;
}

export interface DrillSelection {
  readonly objects: readonly DrillObject[];
  readonly left: readonly LeftOut[];
}

const LISTS_AT_A_TIME = 8;

/** Brought by DR-Syncer: these, of these groups. Others let traffic in, or an operator acts on them as on real ones. */
const GROUPS = new Set(['', 'apps', 'batch', 'policy', 'rbac.authorization.k8s.io']);
/** Made at the standby by somebody else: what its workloads may need as well. */
const CONFIGURATION = new Set([
  ...['ConfigMap', 'Secret', 'ServiceAccount', 'LimitRange', 'ResourceQuota', 'Role', 'RoleBinding'],
]);
/** Volumes are made apart, with their data. */
const VOLUMES = 'PersistentVolumeClaim';
const WORKLOAD_GROUPS = new Set(['apps', 'batch']);

/** Fields of a Service that reach beyond the cluster. */
const OUTSIDE = new Set([
  ...['externalIPs', 'externalTrafficPolicy', 'loadBalancerIP', 'loadBalancerClass'],
  ...['loadBalancerSourceRanges', 'allocateLoadBalancerNodePorts', 'healthCheckNodePort'],
]);
/** The service CA of OpenShift makes a Secret in the namespace that pods mount. */
const OWN_ANNOTATION = /^service\.(alpha|beta)\.openshift\.io\//;

/** The objects of a drill, at rest. @throws KubeError */
export async function drillObjects(
  { client, discovery }: Pick<PersonsCluster, 'client' | 'discovery'>,
  standby: string,
  drill: string,
  signal: AbortSignal,
): Promise<DrillSelection> {
  const types = await discovery.resources({ namespaced: true, verbs: ['list', 'create', 'patch'] }, signal);
  const found: DrillObject[] = [];
  const waiting = [...types];
  const work = async (): Promise<void> => {
    for (let type = waiting.pop(); type !== undefined; type = waiting.pop()) {
      found.push(...(await relevant(client, type, standby, signal)));
    }
  };
  await Promise.all(Array.from({ length: LISTS_AT_A_TIME }, work));
  return selectForDrill(found, standby, drill);
}

async function relevant(
  client: KubeClient,
  resource: ApiResource,
  namespace: string,
  signal: AbortSignal,
): Promise<DrillObject[]> {
  const everybodys = isConfiguration(resource);
  const selector = everybodys ? {} : { labelSelector: `${label.managedBy}=dr-syncer` };
  const { items } = await client.list(resource, { namespace, ...selector, signal });
  return items.map((item) => ({
    resource,
    object: { ...item, apiVersion: groupVersionOf(resource), kind: resource.kind },
  }));
}

function isConfiguration({ kind, group }: ApiResource): boolean {
  return CONFIGURATION.has(kind) && (group === '' || group === 'rbac.authorization.k8s.io');
}

/** What of them the drill has. Pure. */
export function selectForDrill(
  found: readonly DrillObject[],
  standby: string,
  drill: string,
): DrillSelection {
  const desiredOf = compileDesired({
    replication: withoutRules(drill),
    ...{ sourceNamespace: standby, destinationNamespace: drill },
  });
  const objects: DrillObject[] = [];
  const left: LeftOut[] = [];
  for (const { resource, object } of found) {
    if (resource.kind === VOLUMES) continue;
    const desired = desiredOf(object, resource);
    // Each cluster, or a controller, makes it by itself.
    if (desired.outcome === 'skipped') continue;
    const reason = desired.outcome === 'failed' ? desired.error.message : beyond(object, resource);
    if (reason !== undefined) left.push({ kind: resource.kind, name: object.metadata.name, reason });
    else if (desired.outcome === 'object') {
      objects.push({ resource, object: ofDrill(confined(desired.object), standby) });
    }
  }
  const byName = (a: LeftOut, b: LeftOut) => compare(`${a.kind} ${a.name}`, `${b.kind} ${b.name}`);
  return { objects, left: left.sort(byName) };
}

/** Why an object can't be had without reaching beyond the namespace; undefined: it can. */
function beyond(object: KubeObject, { kind, group }: ApiResource): string | undefined {
  if (!GROUPS.has(group))
    return group === 'networking.k8s.io' ? 'lets traffic in or out' : 'acted on by others';
  if (kind === 'Endpoints') return 'names addresses outside';
  if (kind === 'Service' && specOf(object)['type'] === 'ExternalName') return 'names a host outside';
  if (!WORKLOAD_GROUPS.has(group)) return undefined;
  return podTemplates(object)
    .map(({ spec }) => reachOf(spec ?? {}))
    .find((reason) => reason !== undefined);
}

/** Services become reachable from inside alone. Annotations of what is no workload are instructions to somebody outside. */
function confined(object: KubeObject): KubeObject {
  const isWorkload = WORKLOAD_GROUPS.has(object.apiVersion.split('/')[0] ?? '');
  const { annotations = {} } = object.metadata;
  const kept = Object.entries(annotations).filter(([key]) => isWorkload || OWN_ANNOTATION.test(key));
  const metadata = { ...object.metadata, annotations: Object.fromEntries(kept) };
  if (object.kind !== 'Service' || object.apiVersion !== 'v1') return { ...object, metadata };
  const fields = Object.entries(specOf(object)).filter(([field]) => !OUTSIDE.has(field));
  return { ...object, metadata, spec: { ...Object.fromEntries(fields), type: 'ClusterIP' } };
}

/** Nothing says any more that it belongs to a standby: no sync would take it for its own. */
function ofDrill(object: KubeObject, standby: string): KubeObject {
  const marks = new Set<string>([
    label.managedBy,
    label.replication,
    annotation.source,
    annotation.desiredHash,
  ]);
  const unmarked = (values: Readonly<Record<string, string>> = {}) =>
    Object.fromEntries(Object.entries(values).filter(([key]) => !marks.has(key)));
  const { labels, annotations } = object.metadata;
  return {
    ...object,
    metadata: {
      ...object.metadata,
      labels: { ...unmarked(labels), [label.drillOf]: standby },
      annotations: unmarked(annotations),
    },
  };
}

function specOf({ spec }: KubeObject): Readonly<Record<string, unknown>> {
  return (spec ?? {}) as Record<string, unknown>;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A sync with nothing asked for: an object as it is, cleaned of what its cluster wrote, at rest. */
function withoutRules(drill: string) {
  return replicationSchema.parse({
    metadata: {
      ...{ name: drill, namespace: drill, uid: drill, resourceVersion: '0' },
      creationTimestamp: '1970-01-01T00:00:00Z',
    },
    spec: { destinationCluster: 'drill' },
  });
}
