import { containerDefaults, type KindCase, object, podDefaults } from './case.js';

const template = {
  metadata: { labels: { app: 'a' } },
  spec: { containers: [{ name: 'c', image: 'nginx:1.27' }] },
};
const expectedContainer = { ...containerDefaults, name: 'c', image: 'mirror.dr/official/nginx:1.27' };
const expectedTemplate = {
  metadata: { labels: { app: 'a' } },
  spec: { ...podDefaults, containers: [expectedContainer] },
};
const selector = { matchLabels: { app: 'a' } };
const originalReplicas = (count: number) => ({ 'dr-syncer.io/original-replicas': String(count) });
const expectedJob = {
  ...{ backoffLimit: 6, completionMode: 'NonIndexed', completions: 1, parallelism: 1 },
  ...{ podReplacementPolicy: 'TerminatingOrFailed' },
};

export const workloadCases: readonly KindCase[] = [
  {
    title: 'Deployment, with affinities, a node and a rule of the user',
    source: object('apps/v1', 'Deployment', 'web', {
      metadata: { labels: { size: 'large' }, annotations: { 'deployment.kubernetes.io/revision': '7' } },
      spec: {
        ...{ replicas: 3, selector },
        template: {
          metadata: { labels: { app: 'a' }, annotations: { 'kubectl.kubernetes.io/restartedAt': 'then' } },
          spec: {
            nodeName: 'n1',
            containers: [
              {
                name: 'c',
                image: 'quay.io/team/web@sha256:' + 'a'.repeat(64),
                resources: { limits: { memory: '4Gi' } },
              },
            ],
            initContainers: [{ name: 'i', image: 'ghcr.io/x/y:1', resources: { limits: { memory: '4Gi' } } }],
            affinity: {
              podAntiAffinity: {
                requiredDuringSchedulingIgnoredDuringExecution: [
                  {
                    topologyKey: 'kubernetes.io/hostname',
                    namespaces: ['shop', 'other'],
                    labelSelector: selector,
                  },
                ],
              },
            },
          },
        },
      },
    }),
    status: { replicas: 3, readyReplicas: 3, observedGeneration: 9 },
    expected: {
      labels: { size: 'large' },
      annotations: originalReplicas(3),
      spec: {
        ...{ replicas: 0, selector, progressDeadlineSeconds: 600, revisionHistoryLimit: 10 },
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
        template: {
          metadata: { labels: { app: 'a' }, annotations: { 'kubectl.kubernetes.io/restartedAt': 'then' } },
          spec: {
            ...podDefaults,
            containers: [
              {
                ...{
                  ...containerDefaults,
                  name: 'c',
                  image: 'mirror.dr/quay/team/web@sha256:' + 'a'.repeat(64),
                },
                // Requests are completed from limits in the source already, so they stay as they were there.
                resources: { limits: { memory: '1Gi' } },
              },
            ],
            initContainers: [
              {
                ...containerDefaults,
                name: 'i',
                image: 'ghcr.io/x/y:1',
                resources: { limits: { memory: '4Gi' } },
              },
            ],
            affinity: {
              podAntiAffinity: {
                requiredDuringSchedulingIgnoredDuringExecution: [
                  {
                    topologyKey: 'kubernetes.io/hostname',
                    namespaces: ['shop-dr', 'other'],
                    labelSelector: selector,
                  },
                ],
              },
            },
          },
        },
      },
      status: {},
    },
  },
  {
    title: 'Deployment of which a part may run',
    source: object('apps/v1', 'Deployment', 'warm', {
      metadata: { labels: { 'dr-syncer.io/scale-override': '1' } },
      spec: { replicas: 5, selector, template, strategy: { type: 'Recreate' } },
    }),
    expected: {
      labels: { 'dr-syncer.io/scale-override': '1' },
      annotations: originalReplicas(5),
      spec: {
        ...{ replicas: 1, selector, progressDeadlineSeconds: 600, revisionHistoryLimit: 10 },
        ...{ strategy: { type: 'Recreate' }, template: expectedTemplate },
      },
      status: {},
    },
  },
  {
    title: 'StatefulSet, with claims of its own',
    source: object('apps/v1', 'StatefulSet', 'db', {
      spec: {
        ...{ replicas: 2, serviceName: 'db', selector, template },
        volumeClaimTemplates: [
          {
            metadata: { name: 'data' },
            spec: {
              ...{ accessModes: ['ReadWriteOnce'], storageClassName: 'fast' },
              resources: { requests: { storage: '1Gi' } },
            },
          },
        ],
      },
    }),
    status: { replicas: 2, currentRevision: 'db-1' },
    expected: {
      annotations: originalReplicas(2),
      spec: {
        ...{ replicas: 0, serviceName: 'db', selector, template: expectedTemplate, revisionHistoryLimit: 10 },
        ...{ podManagementPolicy: 'OrderedReady' },
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
        persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
        volumeClaimTemplates: [
          {
            ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data' } },
            spec: {
              ...{ accessModes: ['ReadWriteOnce'], storageClassName: 'standard', volumeMode: 'Filesystem' },
              resources: { requests: { storage: '1Gi' } },
            },
            status: { phase: 'Pending' },
          },
        ],
      },
      status: { availableReplicas: 0, replicas: 0 },
    },
  },
  {
    title: 'DaemonSet, parked',
    source: object('apps/v1', 'DaemonSet', 'logs', {
      spec: {
        selector,
        template: { ...template, spec: { ...template.spec, nodeSelector: { disk: 'ssd' } } },
      },
    }),
    status: { currentNumberScheduled: 1, desiredNumberScheduled: 1, numberMisscheduled: 0, numberReady: 1 },
    expected: {
      annotations: { 'deprecated.daemonset.template.generation': '1' },
      spec: {
        ...{ selector, revisionHistoryLimit: 10 },
        template: {
          ...expectedTemplate,
          spec: { ...expectedTemplate.spec, nodeSelector: { disk: 'ssd', 'dr-syncer.io/parked': 'true' } },
        },
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
      },
      status: { currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 },
    },
  },
  {
    title: 'ReplicaSet of nobody',
    source: object('apps/v1', 'ReplicaSet', 'alone', { spec: { replicas: 2, selector, template } }),
    expected: {
      annotations: originalReplicas(2),
      spec: { replicas: 0, selector, template: expectedTemplate },
      status: { replicas: 0 },
    },
  },
  {
    title: 'ReplicationController',
    source: object('v1', 'ReplicationController', 'old', {
      spec: { replicas: 2, selector: { app: 'a' }, template },
    }),
    expected: {
      annotations: originalReplicas(2),
      spec: { replicas: 0, selector: { app: 'a' }, template: expectedTemplate },
      status: { replicas: 0 },
    },
  },
  {
    title: 'Job, without the selector that its cluster made',
    source: object('batch/v1', 'Job', 'migrate', {
      metadata: { labels: { app: 'a' } },
      spec: { template: { spec: { containers: template.spec.containers, restartPolicy: 'Never' } } },
    }),
    expected: {
      labels: { app: 'a' },
      annotations: { 'dr-syncer.io/original-suspend': 'false' },
      spec: {
        ...{ ...expectedJob, suspend: true, manualSelector: false, selector: madeByServer() },
        template: {
          metadata: { labels: madeByServer() },
          spec: { ...podDefaults, restartPolicy: 'Never', containers: [expectedContainer] },
        },
      },
      status: {},
    },
  },
  {
    title: 'Job with a selector of the user',
    source: object('batch/v1', 'Job', 'chosen', {
      spec: {
        ...{
          manualSelector: true,
          selector: { matchLabels: { job: 'chosen' } },
          ttlSecondsAfterFinished: 60,
        },
        template: {
          metadata: { labels: { job: 'chosen' } },
          spec: { containers: template.spec.containers, restartPolicy: 'Never' },
        },
      },
    }),
    expected: {
      annotations: { 'dr-syncer.io/original-suspend': 'false' },
      spec: {
        ...{ ...expectedJob, suspend: true, manualSelector: true, ttlSecondsAfterFinished: 60 },
        selector: { matchLabels: { job: 'chosen' } },
        template: {
          metadata: { labels: { job: 'chosen' } },
          spec: { ...podDefaults, restartPolicy: 'Never', containers: [expectedContainer] },
        },
      },
      status: {},
    },
  },
  {
    title: 'CronJob, name at the limit',
    source: object('batch/v1', 'CronJob', 'c'.repeat(52), {
      spec: {
        schedule: '*/5 * * * *',
        jobTemplate: {
          spec: { template: { spec: { containers: template.spec.containers, restartPolicy: 'Never' } } },
        },
      },
    }),
    status: { lastScheduleTime: '2026-01-01T00:00:00Z' },
    expected: {
      annotations: { 'dr-syncer.io/original-suspend': 'false' },
      spec: {
        ...{ schedule: '*/5 * * * *', suspend: true, concurrencyPolicy: 'Allow' },
        ...{ failedJobsHistoryLimit: 1, successfulJobsHistoryLimit: 3 },
        jobTemplate: {
          metadata: {},
          spec: {
            template: {
              metadata: {},
              spec: { ...podDefaults, restartPolicy: 'Never', containers: [expectedContainer] },
            },
          },
        },
      },
      status: {},
    },
  },
  {
    title: 'HorizontalPodAutoscaler',
    source: object('autoscaling/v2', 'HorizontalPodAutoscaler', 'web', {
      spec: {
        ...{ minReplicas: 2, maxReplicas: 9 },
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        metrics: [
          {
            type: 'Resource',
            resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } },
          },
        ],
      },
    }),
    status: { currentReplicas: 3, desiredReplicas: 3, currentMetrics: null, conditions: [] },
    expected: {
      spec: {
        ...{ minReplicas: 2, maxReplicas: 9 },
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        metrics: [
          {
            type: 'Resource',
            resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } },
          },
        ],
      },
      status: { currentMetrics: null, desiredReplicas: 0 },
    },
  },
  {
    title: 'PodDisruptionBudget',
    source: object('policy/v1', 'PodDisruptionBudget', 'web', { spec: { minAvailable: 1, selector } }),
    expected: {
      spec: { minAvailable: 1, selector },
      status: { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 },
    },
  },
  {
    title: 'ResourceClaim',
    source: object('resource.k8s.io/v1', 'ResourceClaim', 'gpu', {
      spec: { devices: { requests: [{ name: 'gpu', exactly: { deviceClassName: 'gpu.example.com' } }] } },
    }),
    expected: {
      spec: {
        devices: {
          requests: [
            {
              name: 'gpu',
              exactly: { deviceClassName: 'gpu.example.com', allocationMode: 'ExactCount', count: 1 },
            },
          ],
        },
      },
      status: {},
    },
  },
  {
    title: 'ResourceClaimTemplate',
    source: object('resource.k8s.io/v1', 'ResourceClaimTemplate', 'gpus', {
      spec: {
        spec: { devices: { requests: [{ name: 'gpu', exactly: { deviceClassName: 'gpu.example.com' } }] } },
      },
    }),
    expected: {
      spec: {
        metadata: {},
        spec: {
          devices: {
            requests: [
              {
                name: 'gpu',
                exactly: { deviceClassName: 'gpu.example.com', allocationMode: 'ExactCount', count: 1 },
              },
            ],
          },
        },
      },
    },
  },
];

/** Names the object's own uid at the destination: the test looks that the source's is not in it. */
function madeByServer(): unknown {
  return {
    asymmetricMatch: (value: unknown) => JSON.stringify(value).includes('controller-uid'),
    toString: () => 'made by the server',
  };
}
