import type { KubeObject } from '@dr-syncer/kube';

/** An object of the same namespace, or of the cluster, that a pod can't start without. */
export interface Reference {
  readonly kind:
    'Secret' | 'ConfigMap' | 'PersistentVolumeClaim' | 'ServiceAccount' | 'PriorityClass' | 'RuntimeClass';
  readonly name: string;
}

type Json = Record<string, unknown>;

/** What the pods of a workload need, and the images they run. Optional references are left out: pods start without. */
export function podNeeds(object: KubeObject): {
  readonly references: Reference[];
  readonly images: string[];
} {
  const spec = podSpecOf(object);
  if (spec === undefined) return { references: [], images: [] };
  const containers = [...list(spec['initContainers']), ...list(spec['containers'])];
  const references = [
    ...list(spec['volumes']).flatMap(ofVolume),
    ...containers.flatMap(ofContainer),
    ...list(spec['imagePullSecrets']).flatMap((one) => reference('Secret', one['name'])),
    ...reference('ServiceAccount', spec['serviceAccountName']),
    ...reference('PriorityClass', spec['priorityClassName']),
    ...reference('RuntimeClass', spec['runtimeClassName']),
  ];
  const images = containers.flatMap(({ image }) => (typeof image === 'string' ? [image] : []));
  return { references, images };
}

function podSpecOf(object: KubeObject): Json | undefined {
  const spec = record(object['spec']);
  const template = object.kind === 'CronJob' ? record(record(spec?.['jobTemplate'])?.['spec']) : spec;
  return record(record(template?.['template'])?.['spec']);
}

function ofVolume(volume: Json): Reference[] {
  const { secret, configMap, persistentVolumeClaim, projected } = volume;
  return [
    ...required('Secret', secret, 'secretName'),
    ...required('ConfigMap', configMap, 'name'),
    ...required('PersistentVolumeClaim', persistentVolumeClaim, 'claimName'),
    ...list(record(projected)?.['sources']).flatMap((source) => [
      ...required('Secret', source['secret'], 'name'),
      ...required('ConfigMap', source['configMap'], 'name'),
    ]),
  ];
}

function ofContainer(container: Json): Reference[] {
  const from = list(container['envFrom']).flatMap((source) => [
    ...required('Secret', source['secretRef'], 'name'),
    ...required('ConfigMap', source['configMapRef'], 'name'),
  ]);
  const keys = list(container['env']).flatMap(({ valueFrom }) => [
    ...required('Secret', record(valueFrom)?.['secretKeyRef'], 'name'),
    ...required('ConfigMap', record(valueFrom)?.['configMapKeyRef'], 'name'),
  ]);
  return [...from, ...keys];
}

function required(kind: Reference['kind'], value: unknown, field: string): Reference[] {
  const found = record(value);
  return found === undefined || found['optional'] === true ? [] : reference(kind, found[field]);
}

function reference(kind: Reference['kind'], name: unknown): Reference[] {
  return typeof name === 'string' && name !== '' ? [{ kind, name }] : [];
}

function record(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

function list(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(record).filter((one) => one !== undefined) : [];
}
