import type { KubeObject } from '@dr-syncer/kube';

interface Definition {
  readonly apiVersion: string;
  readonly kind: string;
  /** `specReplicasPath` of the scale subresource. */
  readonly scale?: string;
  /** Schema of `spec`. */
  readonly spec?: object;
}

const gateway = 'gateway.networking.k8s.io/v1';
const monitoring = 'monitoring.coreos.com/v1';

/** Custom kinds that clusters often have, as far as the copying of objects can tell them apart: group, kind, scale. */
const definitions: readonly Definition[] = [
  ...['HTTPRoute', 'GRPCRoute', 'TLSRoute', 'Gateway', 'ReferenceGrant'].map((kind) => ({
    apiVersion: gateway,
    kind,
  })),
  { apiVersion: 'route.openshift.io/v1', kind: 'Route' },
  { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService' },
  { apiVersion: 'networking.istio.io/v1', kind: 'DestinationRule' },
  { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', scale: '.spec.replicas' },
  { apiVersion: 'shop.test/v1', kind: 'Widget', scale: '.spec.pods.size' },
  {
    ...{ apiVersion: 'postgresql.cnpg.io/v1', kind: 'Cluster', scale: '.spec.instances' },
    spec: { properties: { instances: { type: 'integer', minimum: 1, default: 1 } } },
  },
  ...['ScaledObject', 'ScaledJob', 'TriggerAuthentication'].map((kind) => ({
    apiVersion: 'keda.sh/v1alpha1',
    kind,
  })),
  { apiVersion: 'cert-manager.io/v1', kind: 'Certificate' },
  { apiVersion: 'cert-manager.io/v1', kind: 'Issuer' },
  ...['ServiceMonitor', 'PodMonitor', 'PrometheusRule'].map((kind) => ({ apiVersion: monitoring, kind })),
  { apiVersion: monitoring, kind: 'Prometheus', scale: '.spec.replicas' },
  { apiVersion: 'external-secrets.io/v1', kind: 'ExternalSecret' },
  { apiVersion: 'external-secrets.io/v1', kind: 'SecretStore' },
  { apiVersion: 'bitnami.com/v1alpha1', kind: 'SealedSecret' },
  { apiVersion: 'autoscaling.k8s.io/v1', kind: 'VerticalPodAutoscaler' },
  { apiVersion: 'kafka.strimzi.io/v1beta2', kind: 'KafkaTopic' },
];

export function customResourceDefinitions(): KubeObject[] {
  return definitions.map(definition);
}

/** Whatever is not said keeps unknown fields. */
function definition({ apiVersion, kind, scale, spec = {} }: Definition): KubeObject {
  const [group = '', version = ''] = apiVersion.split('/');
  const singular = kind.toLowerCase();
  const plural = singular.endsWith('y')
    ? `${singular.slice(0, -1)}ies`
    : singular.replace(/(s)$/, '$1e') + 's';
  const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  // Groups of Kubernetes itself are guarded, except for what says that it was agreed upon.
  const approved = group.endsWith('.k8s.io')
    ? { annotations: { 'api-approved.kubernetes.io': 'https://github.com/kubernetes/enhancements' } }
    : {};
  return {
    ...{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' },
    metadata: { name: `${plural}.${group}`, ...approved },
    spec: {
      ...{ group, scope: 'Namespaced', names: { plural, singular, kind } },
      versions: [
        {
          ...{ name: version, served: true, storage: true },
          subresources: {
            ...(scale !== undefined && {
              scale: { specReplicasPath: scale, statusReplicasPath: '.status.replicas' },
            }),
          },
          schema: { openAPIV3Schema: { ...open, properties: { spec: { ...open, ...spec } } } },
        },
      ],
    },
  };
}
