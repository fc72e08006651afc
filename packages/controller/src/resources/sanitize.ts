import { API_GROUP, label } from '@dr-syncer/api';
import { type KubeObject, splitApiVersion } from '@dr-syncer/kube';

import { cloneJson } from './clone-json.js';
import { isRecord, type Json, records, specOf } from './json.js';
import { podTemplates } from './pod-templates.js';
import { kindName } from './type-names.js';

/** Annotations that a cluster writes for itself. */
const clusterAnnotations = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  'deployment.kubernetes.io/revision',
  'deployment.kubernetes.io/desired-replicas',
  'deployment.kubernetes.io/max-replicas',
  'deprecated.daemonset.template.generation',
  'batch.kubernetes.io/job-tracking',
  'autoscaling.alpha.kubernetes.io/conditions',
  'autoscaling.alpha.kubernetes.io/current-metrics',
  'pv.kubernetes.io/bind-completed',
  'pv.kubernetes.io/bound-by-controller',
  'pv.kubernetes.io/migrated-to',
  'volume.kubernetes.io/migrated-to',
  'volume.kubernetes.io/storage-provisioner',
  'volume.beta.kubernetes.io/storage-provisioner',
  'volume.kubernetes.io/storage-resizer',
  'volume.kubernetes.io/selected-node',
  'endpoints.kubernetes.io/last-change-trigger-time',
  'endpoints.kubernetes.io/over-capacity',
  // Elections of old clients, renewed every few seconds.
  'control-plane.alpha.kubernetes.io/leader',
  'openshift.io/internal-registry-pull-secret-ref',
  'openshift.io/host.generated',
]);

/** Written by us, when the source was or is itself a standby. Those that users write are labels. */
const ownLabels = new Set<string>([label.managedBy, label.replication]);

/** Options of a Replication that change what is kept. */
export interface SanitizeOptions {
  readonly preserveNodePorts: boolean;
  readonly preserveClusterIP: boolean;
}

/**
 * The object without what its cluster wrote: a pure function that returns a new object and keeps every field it does
 * not know. `metadata` is built anew from name, labels and annotations; owner references and finalizers name things
 * of the source cluster.
 */
export function sanitize(source: KubeObject, options: SanitizeOptions): KubeObject {
  const { name, labels, annotations } = source.metadata;
  // Neither of the two is wanted, so neither is copied.
  const fields: KubeObject = { ...source, metadata: { name } };
  delete fields['status'];
  const object: KubeObject = {
    ...cloneJson(fields),
    metadata: {
      name,
      ...optional('labels', labels, (key) => !ownLabels.has(key)),
      ...optional('annotations', annotations, isUsersAnnotation),
    },
  };
  for (const template of podTemplates(object)) sanitizeTemplate(template);
  const { group } = splitApiVersion(source.apiVersion);
  byKind[kindName(object.kind, group)]?.(object, options, source);
  return object;
}

function isUsersAnnotation(key: string): boolean {
  return !clusterAnnotations.has(key) && !key.startsWith(`${API_GROUP}/`);
}

function optional(
  field: string,
  values: Readonly<Record<string, string>> | undefined,
  keep: (key: string) => boolean,
): Record<string, Record<string, string>> {
  const kept = Object.entries(values ?? {}).filter(([key]) => keep(key));
  return kept.length === 0 ? {} : { [field]: Object.fromEntries(kept) };
}

type KindRule = (object: KubeObject, options: SanitizeOptions, source: KubeObject) => void;

const byKind: Readonly<Record<string, KindRule>> = {
  Service: sanitizeService,
  PersistentVolumeClaim: (object) => sanitizeClaimSpec(specOf(object)),
  'StatefulSet.apps': sanitizeStatefulSet,
  ServiceAccount: sanitizeAccount,
  'Job.batch': sanitizeJob,
  Endpoints: sanitizeEndpoints,
  'EndpointSlice.discovery.k8s.io': (object) => records(object['endpoints']).forEach(dropTarget),
  'Route.route.openshift.io': (object, _options, source) => {
    // Made from the domain of the source cluster; the destination makes its own.
    if (source.metadata.annotations?.['openshift.io/host.generated'] === 'true')
      delete specOf(object)['host'];
  },
};

/** A pod that may only run on one node of the source cluster would run on none here. */
function sanitizeTemplate(template: Json): void {
  dropTimestamp(template);
  const spec = template['spec'];
  if (isRecord(spec)) delete spec['nodeName'];
}

/** Older servers write `creationTimestamp: null` into templates. */
function dropTimestamp(template: Json): void {
  const { metadata } = template;
  if (isRecord(metadata)) delete metadata['creationTimestamp'];
}

/** Addresses belong to a cluster, but "None" is the user's wish for a headless service. */
function sanitizeService(object: KubeObject, options: SanitizeOptions): void {
  const spec = specOf(object);
  if (spec['clusterIP'] !== 'None' && !options.preserveClusterIP) {
    delete spec['clusterIP'];
    delete spec['clusterIPs'];
  }
  delete spec['healthCheckNodePort'];
  // The default, taken from the families of the source cluster; another cluster may have others. Two are a wish.
  if (spec['ipFamilyPolicy'] === 'SingleStack' || spec['ipFamilyPolicy'] === undefined) {
    delete spec['ipFamilies'];
    delete spec['ipFamilyPolicy'];
  }
  if (options.preserveNodePorts) return;
  for (const port of records(spec['ports'])) delete port['nodePort'];
}

function sanitizeClaimSpec(spec: Json): void {
  delete spec['volumeName'];
  // They name objects of the source cluster: a snapshot or another claim to fill the volume from, labels of its PVs.
  delete spec['dataSource'];
  delete spec['dataSourceRef'];
  delete spec['selector'];
}

function sanitizeStatefulSet(object: KubeObject): void {
  for (const template of records(specOf(object)['volumeClaimTemplates'])) {
    dropTimestamp(template);
    delete template['status'];
    if (isRecord(template['spec'])) sanitizeClaimSpec(template['spec']);
  }
}

/** Tokens and pull secrets of the source cluster; the destination makes its own. */
function sanitizeAccount(object: KubeObject): void {
  delete object['secrets'];
  const generated = `${object.metadata.name}-dockercfg-`;
  const kept = records(object['imagePullSecrets']).filter(({ name }) => !String(name).startsWith(generated));
  if (kept.length > 0) object['imagePullSecrets'] = kept;
  else delete object['imagePullSecrets'];
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
  const template = isRecord(spec['template']) ? spec['template'] : {};
  for (const holder of [template['metadata'], object.metadata]) {
    if (!isRecord(holder) || !isRecord(holder['labels'])) continue;
    for (const key of controllerLabels) Reflect.deleteProperty(holder['labels'], key);
    if (Object.keys(holder['labels']).length === 0) delete holder['labels'];
  }
}

function sanitizeEndpoints(object: KubeObject): void {
  for (const subset of records(object['subsets'])) {
    for (const address of [...records(subset['addresses']), ...records(subset['notReadyAddresses'])]) {
      dropTarget(address);
    }
  }
}

/** Addresses that the user wrote stay; nodes and objects behind them are of the source cluster. */
function dropTarget(address: Json): void {
  delete address['nodeName'];
  delete address['targetRef'];
}
