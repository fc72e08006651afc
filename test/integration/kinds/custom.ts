import { type KindCase, object } from './case.js';

const pod = (image: string) => ({
  metadata: { labels: { app: 'a' } },
  spec: { containers: [{ name: 'c', image }] },
});

export const customCases: readonly KindCase[] = [
  {
    title: 'Rollout: scaled, its images mapped',
    source: object('argoproj.io/v1alpha1', 'Rollout', 'web', {
      spec: {
        replicas: 4,
        template: pod('quay.io/x/y:1'),
        strategy: { canary: { steps: [{ setWeight: 20 }] } },
      },
      status: { phase: 'Healthy' },
    }),
    expected: {
      annotations: { 'dr-syncer.io/original-replicas': '4' },
      spec: {
        replicas: 0,
        template: pod('mirror.dr/quay/x/y:1'),
        strategy: { canary: { steps: [{ setWeight: 20 }] } },
      },
    },
  },
  {
    title: 'Widget: a custom number of replicas, fields that nobody knows',
    source: object('shop.test/v1', 'Widget', 'w', {
      spec: { pods: { size: 7, extra: [1, null, { deep: true }] }, 'dotted.name/x': 1.5 },
      topLevel: { x: 'y' },
    }),
    expected: {
      annotations: { 'dr-syncer.io/original-replicas': '7' },
      spec: { pods: { size: 0, extra: [1, null, { deep: true }] }, 'dotted.name/x': 1.5 },
      topLevel: { x: 'y' },
    },
  },
  {
    title: 'Cluster that takes no 0, allowed to run by its label',
    source: object('postgresql.cnpg.io/v1', 'Cluster', 'pg', {
      metadata: { labels: { 'dr-syncer.io/scale-override': '1' } },
      spec: { instances: 3, storage: { size: '1Gi' } },
    }),
    expected: {
      labels: { 'dr-syncer.io/scale-override': '1' },
      annotations: { 'dr-syncer.io/original-replicas': '3' },
      spec: { instances: 1, storage: { size: '1Gi' } },
    },
  },
  {
    title: 'ScaledObject, paused',
    source: object('keda.sh/v1alpha1', 'ScaledObject', 'q', {
      spec: { scaleTargetRef: { name: 'web' }, minReplicaCount: 1 },
    }),
    expected: {
      annotations: { 'autoscaling.keda.sh/paused-replicas': '0', 'dr-syncer.io/original-paused': '' },
      spec: { scaleTargetRef: { name: 'web' }, minReplicaCount: 1 },
    },
  },
  {
    title: 'ScaledJob, paused',
    source: object('keda.sh/v1alpha1', 'ScaledJob', 'q', {
      spec: { jobTargetRef: { template: { spec: { containers: [{ name: 'c', image: 'quay.io/x:1' }] } } } },
    }),
    expected: {
      annotations: { 'autoscaling.keda.sh/paused': 'true', 'dr-syncer.io/original-paused': '' },
      spec: {
        jobTargetRef: { template: { spec: { containers: [{ name: 'c', image: 'mirror.dr/quay/x:1' }] } } },
      },
    },
  },
  {
    title: 'TriggerAuthentication',
    source: object('keda.sh/v1alpha1', 'TriggerAuthentication', 'q', {
      spec: { secretTargetRef: [{ parameter: 'p', name: 's', key: 'k' }] },
    }),
    expected: { spec: { secretTargetRef: [{ parameter: 'p', name: 's', key: 'k' }] } },
  },
  {
    title: 'Certificate, with a rule of the user',
    source: object('cert-manager.io/v1', 'Certificate', 'tls', {
      spec: {
        secretName: 'tls',
        issuerRef: { name: 'prod', kind: 'ClusterIssuer' },
        secretTemplate: { labels: { a: 'b' } },
      },
      status: { notAfter: '2027-01-01T00:00:00Z' },
    }),
    expected: { spec: { secretName: 'tls', issuerRef: { name: 'dr-issuer', kind: 'ClusterIssuer' } } },
  },
  {
    title: 'Issuer',
    source: object('cert-manager.io/v1', 'Issuer', 'own', { spec: { ca: { secretName: 'ca' } } }),
    expected: { spec: { ca: { secretName: 'ca' } } },
  },
  {
    title: 'ServiceMonitor',
    source: object('monitoring.coreos.com/v1', 'ServiceMonitor', 'web', {
      spec: { namespaceSelector: { matchNames: ['shop', 'other'] }, endpoints: [{ port: 'm' }] },
    }),
    expected: {
      spec: { namespaceSelector: { matchNames: ['shop-dr', 'other'] }, endpoints: [{ port: 'm' }] },
    },
  },
  {
    title: 'PodMonitor',
    source: object('monitoring.coreos.com/v1', 'PodMonitor', 'web', {
      spec: { namespaceSelector: { matchNames: ['db'] }, podMetricsEndpoints: [] },
    }),
    expected: { spec: { namespaceSelector: { matchNames: ['db-dr'] }, podMetricsEndpoints: [] } },
  },
  {
    title: 'PrometheusRule',
    source: object('monitoring.coreos.com/v1', 'PrometheusRule', 'web', {
      spec: { groups: [{ name: 'g', rules: [{ alert: 'A', expr: 'up{namespace="shop"} == 0' }] }] },
    }),
    // What is inside of expressions is the user's to change, by a rule.
    expected: {
      spec: { groups: [{ name: 'g', rules: [{ alert: 'A', expr: 'up{namespace="shop"} == 0' }] }] },
    },
  },
  {
    title: 'Prometheus',
    source: object('monitoring.coreos.com/v1', 'Prometheus', 'main', { spec: { replicas: 2, shards: 1 } }),
    expected: { annotations: { 'dr-syncer.io/original-replicas': '2' }, spec: { replicas: 0, shards: 1 } },
  },
  {
    title: 'ExternalSecret',
    source: object('external-secrets.io/v1', 'ExternalSecret', 'es', {
      spec: { secretStoreRef: { name: 's' } },
    }),
    expected: { spec: { secretStoreRef: { name: 's' } } },
  },
  {
    title: 'SecretStore',
    source: object('external-secrets.io/v1', 'SecretStore', 's', {
      spec: { provider: { vault: { server: 'https://v' } } },
    }),
    expected: { spec: { provider: { vault: { server: 'https://v' } } } },
  },
  {
    title: 'SealedSecret',
    source: object('bitnami.com/v1alpha1', 'SealedSecret', 'sealed', {
      spec: { encryptedData: { a: 'AgB' } },
    }),
    expected: { spec: { encryptedData: { a: 'AgB' } } },
  },
  {
    title: 'VerticalPodAutoscaler',
    source: object('autoscaling.k8s.io/v1', 'VerticalPodAutoscaler', 'v', {
      spec: {
        targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        updatePolicy: { updateMode: 'Auto' },
      },
      status: { recommendation: {} },
    }),
    expected: {
      spec: {
        targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        updatePolicy: { updateMode: 'Auto' },
      },
    },
  },
  {
    title: 'KafkaTopic',
    source: object('kafka.strimzi.io/v1beta2', 'KafkaTopic', 't', { spec: { partitions: 3, replicas: 2 } }),
    // Not the replicas of a workload: the kind has no scale subresource.
    expected: { spec: { partitions: 3, replicas: 2 } },
  },
];
