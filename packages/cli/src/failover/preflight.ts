import { type KubeClient, type KubeObject, type Resource, wellKnown } from '@dr-syncer/kube';

import { type QuotaView, quotaProblems } from './quotas.js';
import type { Inventory } from './inventory.js';
import { podNeeds, type Reference } from './references.js';

export interface Finding {
  /** warning: the failover goes on, and this will be in its way. note: good to know. */
  readonly level: 'warning' | 'note';
  readonly text: string;
}

/** What of the remote cluster has to be known to say whether the standby will start. */
export interface Surroundings {
  /** `Kind/name` of what pods refer to and is there. */
  readonly present: ReadonlySet<string>;
  readonly storageClasses: ReadonlySet<string>;
  readonly ingressClasses: ReadonlySet<string>;
  /** Images that some node has. */
  readonly images: ReadonlySet<string>;
  readonly quotas: readonly QuotaView[];
}

const classTypes = {
  PriorityClass: resource('scheduling.k8s.io', 'priorityclasses', 'PriorityClass'),
  RuntimeClass: resource('node.k8s.io', 'runtimeclasses', 'RuntimeClass'),
  IngressClass: resource('networking.k8s.io', 'ingressclasses', 'IngressClass'),
} as const;

function resource(group: string, plural: string, kind: string): Resource {
  return { group, version: 'v1', plural, kind, namespaced: false };
}

interface Node extends KubeObject {
  status?: { images?: { names?: string[] }[] };
}

/** @throws KubeError */
export async function lookAround(
  client: KubeClient,
  namespace: string,
  signal: AbortSignal,
): Promise<Surroundings> {
  const names = async (type: Resource, within?: string) =>
    (await client.list(type, { namespace: within, signal })).items.map(({ metadata }) => metadata.name);
  const inNamespace = {
    Secret: wellKnown.secrets,
    ConfigMap: wellKnown.configMaps,
    PersistentVolumeClaim: wellKnown.persistentVolumeClaims,
    ServiceAccount: wellKnown.serviceAccounts,
  };
  const present = await Promise.all([
    ...Object.entries(inNamespace).map(async ([kind, type]) =>
      (await names(type, namespace)).map((name) => `${kind}/${name}`),
    ),
    ...(['PriorityClass', 'RuntimeClass'] as const).map(async (kind) =>
      (await names(classTypes[kind])).map((name) => `${kind}/${name}`),
    ),
  ]);
  const nodes = await client.list<Node>(wellKnown.nodes, { signal });
  const quotas = await client.list<KubeObject & QuotaView>(
    { group: '', version: 'v1', plural: 'resourcequotas', kind: 'ResourceQuota', namespaced: true },
    { namespace, signal },
  );
  return {
    present: new Set(present.flat()),
    storageClasses: new Set(await names(wellKnown.storageClasses)),
    ingressClasses: new Set(await names(classTypes.IngressClass)),
    images: new Set(
      nodes.items.flatMap(({ status }) => status?.images?.flatMap((one) => one.names ?? []) ?? []),
    ),
    quotas: quotas.items,
  };
}

/** What a person should know before the standby is started. Pure. */
export function findProblems(inventory: Inventory, around: Surroundings): Finding[] {
  const { runnable, claims, objects, lastSyncs } = inventory;
  const warning = (text: string): Finding => ({ level: 'warning', text });
  const missing = new Map<string, string[]>();
  const images = new Set<string>();
  for (const { object } of runnable) {
    const needs = podNeeds(object);
    for (const image of needs.images) if (!around.images.has(withTag(image))) images.add(image);
    for (const one of needs.references) {
      if (around.present.has(`${one.kind}/${one.name}`)) continue;
      const users = missing.get(describe(one)) ?? [];
      missing.set(describe(one), [...users, `${object.kind} ${object.metadata.name}`]);
    }
  }
  return [
    ...(lastSyncs.size === 0
      ? [warning('no sync into this namespace has left a record: its age is not known')]
      : []),
    ...[...lastSyncs.values()].flatMap(({ replication, result, successAt }) =>
      result === 'Completed' ? [] : [warning(`the last sync of ${replication} failed${age(successAt)}`)],
    ),
    ...claims.flatMap(({ name, phase, storageClass }) => {
      if (phase === 'Bound') return [];
      if (storageClass !== undefined && !around.storageClasses.has(storageClass)) {
        return [warning(`claim ${name} is ${phase}: there is no storage class ${storageClass}`)];
      }
      return [
        { level: 'note' as const, text: `claim ${name} is ${phase}: it has no volume yet, and so no data` },
      ];
    }),
    ...[...missing].map(([what, users]) =>
      warning(`${what} is missing; ${users.slice(0, 5).join(', ')} can't start`),
    ),
    ...ingressClassesOf(objects).flatMap(([ingress, name]) =>
      around.ingressClasses.has(name)
        ? []
        : [warning(`Ingress ${ingress}: there is no ingress class ${name}`)],
    ),
    ...quotaProblems(around.quotas, runnable).map(warning),
    ...[...images].map((image): Finding => ({
      level: 'note',
      text: `image ${image} is on no node yet: it has to be pulled`,
    })),
  ];
}

function describe({ kind, name }: Reference): string {
  return `${kind} ${name}`;
}

function age(successAt: string | undefined): string {
  return successAt === undefined ? ', and none has succeeded' : `; the standby is of ${successAt}`;
}

function ingressClassesOf(objects: readonly KubeObject[]): [string, string][] {
  return objects.flatMap((object): [string, string][] => {
    const name = (object['spec'] as { ingressClassName?: unknown } | undefined)?.ingressClassName;
    return object.kind === 'Ingress' && typeof name === 'string' ? [[object.metadata.name, name]] : [];
  });
}

/** As nodes list them: `docker.io/library/nginx:latest`. */
function withTag(image: string): string {
  const [first = ''] = image.split('/');
  const hasRegistry = image.includes('/') && (/[.:]/.test(first) || first === 'localhost');
  const repository = hasRegistry ? image : `docker.io/${image.includes('/') ? '' : 'library/'}${image}`;
  return /[:@][^/]*$/.test(repository) ? repository : `${repository}:latest`;
}
