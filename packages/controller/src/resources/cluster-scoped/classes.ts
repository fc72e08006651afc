import { type KubeClient, type KubeObject, type Resource, wellKnown } from '@dr-syncer/kube';

import { isRecord, specOf } from '../json.js';
import { storageClassesOf } from '../mapping/storage.js';
import { podTemplates } from '../pod-templates.js';
import { fullKind } from '../standby/kinds.js';

/** Cluster-scoped classes that objects name, and without which they do not work. */
export const classKinds = {
  StorageClass: wellKnown.storageClasses,
  PriorityClass: cluster('scheduling.k8s.io', 'priorityclasses', 'PriorityClass'),
  IngressClass: cluster('networking.k8s.io', 'ingressclasses', 'IngressClass'),
  RuntimeClass: cluster('node.k8s.io', 'runtimeclasses', 'RuntimeClass'),
} as const satisfies Record<string, Resource>;

export type ClassKind = keyof typeof classKinds;

export interface ClassUse {
  readonly kind: ClassKind;
  readonly name: string;
}

function cluster(group: string, plural: string, kind: string): Resource {
  return { group, version: 'v1', plural, kind, namespaced: false };
}

/** Every cluster has them (Kubernetes documentation, "Pod Priority and Preemption"). */
const builtIn = new Set(['system-cluster-critical', 'system-node-critical']);

/** The classes that an object as desired asks for. Pure. */
export function classesOf(object: KubeObject): ClassUse[] {
  const uses: ClassUse[] = storageClassesOf(object).map((name) => ({ kind: 'StorageClass', name }));
  for (const template of podTemplates(object)) {
    const pod = isRecord(template['spec']) ? template['spec'] : {};
    use(uses, 'PriorityClass', pod['priorityClassName']);
    use(uses, 'RuntimeClass', pod['runtimeClassName']);
  }
  if (fullKind(object) === 'Ingress.networking.k8s.io')
    use(uses, 'IngressClass', specOf(object)['ingressClassName']);
  return uses.filter(({ name }) => !builtIn.has(name));
}

function use(uses: ClassUse[], kind: ClassKind, name: unknown): void {
  if (typeof name === 'string' && name !== '') uses.push({ kind, name });
}

/**
 * Those that the remote does not have, as `Kind/name`, sorted. Only kinds that are used are asked for.
 *
 * @throws KubeError
 */
export async function missingClasses(
  remote: KubeClient,
  uses: readonly ClassUse[],
  signal: AbortSignal,
): Promise<string[]> {
  const missing = new Set<string>();
  for (const kind of new Set(uses.map((one) => one.kind))) {
    const { items } = await remote.list(classKinds[kind], { signal });
    const served = new Set(items.map(({ metadata }) => metadata.name));
    for (const one of uses)
      if (one.kind === kind && !served.has(one.name)) missing.add(`${kind}/${one.name}`);
  }
  return [...missing].sort();
}
