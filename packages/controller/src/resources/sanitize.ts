import type { KubeObject } from '@dr-syncer/kube';

type Json = Record<string, unknown>;

/** Annotations that a cluster writes for itself. */
const clusterAnnotations = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  'deployment.kubernetes.io/revision',
  'pv.kubernetes.io/bind-completed',
  'pv.kubernetes.io/bound-by-controller',
  'volume.kubernetes.io/storage-provisioner',
  'volume.beta.kubernetes.io/storage-provisioner',
  'volume.kubernetes.io/selected-node',
  'endpoints.kubernetes.io/last-change-trigger-time',
]);

/** Options of a Replication that change what is kept. */
export interface SanitizeOptions {
  readonly preserveNodePorts: boolean;
}

/**
 * The object without what its cluster wrote: a pure function that returns a new object and keeps every field it does
 * not know. `metadata` is built anew from name, labels and annotations; owner references and finalizers name things
 * of the source cluster.
 */
export function sanitize(source: KubeObject, options: SanitizeOptions): KubeObject {
  const object = structuredClone(source);
  delete object['status'];
  const annotations = Object.fromEntries(
    Object.entries(source.metadata.annotations ?? {}).filter(([key]) => !clusterAnnotations.has(key)),
  );
  object.metadata = {
    name: source.metadata.name,
    ...(source.metadata.labels === undefined ? {} : { labels: { ...source.metadata.labels } }),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  };
  byKind[object.kind]?.(object, options);
  return object;
}

const byKind: Readonly<Record<string, (object: KubeObject, options: SanitizeOptions) => void>> = {
  Service: sanitizeService,
  PersistentVolumeClaim: sanitizeClaim,
  ServiceAccount: (object) => {
    // Token Secrets of the source cluster; the destination makes its own.
    delete object['secrets'];
  },
  Job: sanitizeJob,
  Pod: (object) => {
    delete specOf(object)['nodeName'];
  },
};

function specOf(object: KubeObject): Json {
  const spec = object['spec'];
  return typeof spec === 'object' && spec !== null ? (spec as Json) : {};
}

/** Addresses belong to a cluster, but "None" is the user's wish for a headless service. */
function sanitizeService(object: KubeObject, options: SanitizeOptions): void {
  const spec = specOf(object);
  if (spec['clusterIP'] !== 'None') {
    delete spec['clusterIP'];
    delete spec['clusterIPs'];
  }
  delete spec['healthCheckNodePort'];
  // Defaulted from the families of the source cluster; another cluster may have others.
  delete spec['ipFamilies'];
  delete spec['ipFamilyPolicy'];
  if (options.preserveNodePorts) return;
  for (const port of (spec['ports'] as Json[] | undefined) ?? []) delete port['nodePort'];
}

function sanitizeClaim(object: KubeObject): void {
  const spec = specOf(object);
  delete spec['volumeName'];
  // They name objects of the source cluster: a snapshot or another claim to fill the volume from, labels of its PVs.
  delete spec['dataSource'];
  delete spec['dataSourceRef'];
  delete spec['selector'];
}

const controllerLabels = [
  'controller-uid',
  'batch.kubernetes.io/controller-uid',
  'job-name',
  'batch.kubernetes.io/job-name',
];

/** The selector of a Job is made from its UID, unless the user wrote one. */
function sanitizeJob(object: KubeObject): void {
  const spec = specOf(object);
  if (spec['manualSelector'] === true) return;
  delete spec['selector'];
  const template = spec['template'] as { metadata?: { labels?: Json } } | undefined;
  for (const labels of [template?.metadata?.labels, object.metadata.labels as Json | undefined]) {
    if (labels === undefined) continue;
    for (const key of controllerLabels) Reflect.deleteProperty(labels, key);
  }
}
