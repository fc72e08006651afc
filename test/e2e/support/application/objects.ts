import type { KubeObject } from '../../../demo/kubectl.js';
import { programs } from './programs.js';

export interface ApplicationOptions {
  readonly namespace: string;
  readonly image: string;
  readonly storageClass: string;
  /** Of what is not in the namespace, so that it can be found and removed. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Group of the application's own resources. */
const GROUP = 'application.e2e';
export const CRD = `caches.${GROUP}`;
export const INGRESS_CLASS = 'e2e-application';
export const HOST = 'application.example';

/** Custom resources with a scale subresource, whose replicas are not where everybody has them. */
export function cacheDefinition({ labels }: ApplicationOptions): KubeObject {
  const size = { type: 'integer', minimum: 0 };
  const schema = {
    openAPIV3Schema: {
      type: 'object',
      properties: {
        spec: {
          type: 'object',
          properties: {
            nodes: { type: 'object', properties: { size } },
            settings: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
          },
        },
        status: { type: 'object', properties: { size } },
      },
    },
  };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: CRD, labels },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: { plural: 'caches', singular: 'cache', kind: 'Cache', listKind: 'CacheList' },
      versions: [
        {
          ...{ name: 'v1', served: true, storage: true, schema },
          subresources: {
            status: {},
            scale: { specReplicasPath: '.spec.nodes.size', statusReplicasPath: '.status.size' },
          },
        },
      ],
    },
  };
}

/** For the remote, where the class of the source has another name. */
export function ingressClass({ labels }: ApplicationOptions): KubeObject {
  return {
    ...{
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IngressClass',
      metadata: { name: INGRESS_CLASS, labels },
    },
    spec: { controller: 'application.e2e/none' },
  };
}

/** A web front with an autoscaler, a database with a volume a pod, a nightly job, and what belongs to them. */
export function applicationObjects(options: ApplicationOptions): KubeObject[] {
  const object = (apiVersion: string, kind: string, name: string, rest: object): KubeObject => ({
    ...{ apiVersion, kind, metadata: { name, namespace: options.namespace, labels: { app: name } }, ...rest },
  });
  return [
    ...configuration(object),
    ...access(object, options.namespace),
    ...network(object),
    ...workloads(object, options),
    object(`${GROUP}/v1`, 'Cache', 'sessions', { spec: { nodes: { size: 3 }, settings: { ttl: '10m' } } }),
    object(`${GROUP}/v1`, 'Cache', 'pages', { spec: { settings: { deep: { list: [1, { a: null }] } } } }),
  ];
}

type MakeObject = (apiVersion: string, kind: string, name: string, rest: object) => KubeObject;

function configuration(object: MakeObject): KubeObject[] {
  return [
    object('v1', 'ConfigMap', 'programs', { data: programs, immutable: true }),
    object('v1', 'ConfigMap', 'settings', {
      data: { greeting: 'Hello' },
      binaryData: { logo: 'iVBORw0KGgo=' },
    }),
    object('v1', 'Secret', 'credentials', {
      type: 'Opaque',
      data: { password: 'ZGVtbyBvbmx5Cg==', key: '//4AAQID' },
    }),
    object('v1', 'Secret', 'tls', { type: 'kubernetes.io/tls', data: { 'tls.crt': '', 'tls.key': '' } }),
    object('v1', 'Secret', 'pull', {
      type: 'kubernetes.io/dockerconfigjson',
      stringData: { '.dockerconfigjson': '{"auths":{"registry.example":{"auth":"dTpw"}}}' },
    }),
  ];
}

function access(object: MakeObject, namespace: string): KubeObject[] {
  const api = 'rbac.authorization.k8s.io';
  return [
    object('v1', 'ServiceAccount', 'web', { imagePullSecrets: [{ name: 'pull' }] }),
    object(`${api}/v1`, 'Role', 'reader', {
      rules: [{ apiGroups: [''], resources: ['configmaps'], resourceNames: ['settings'], verbs: ['get'] }],
    }),
    object(`${api}/v1`, 'RoleBinding', 'web-reads', {
      roleRef: { apiGroup: api, kind: 'Role', name: 'reader' },
      subjects: [{ kind: 'ServiceAccount', name: 'web', namespace }],
    }),
  ];
}

function network(object: MakeObject): KubeObject[] {
  const web = { app: 'web' };
  const db = { app: 'db' };
  const database = [{ name: 'db', port: 5432 }];
  return [
    object('v1', 'Service', 'db-nodes', { spec: { clusterIP: 'None', selector: db, ports: database } }),
    object('v1', 'Service', 'db', {
      spec: { selector: { 'statefulset.kubernetes.io/pod-name': 'db-0' }, ports: database },
    }),
    object('v1', 'Service', 'web', {
      spec: { type: 'NodePort', selector: web, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
    }),
    object('networking.k8s.io/v1', 'Ingress', 'web', {
      spec: {
        ingressClassName: 'nginx',
        tls: [{ hosts: [`www.${HOST}`], secretName: 'tls' }],
        rules: [
          {
            host: `www.${HOST}`,
            http: {
              paths: [
                {
                  path: '/',
                  pathType: 'Prefix',
                  backend: { service: { name: 'web', port: { name: 'http' } } },
                },
              ],
            },
          },
        ],
      },
    }),
    object('networking.k8s.io/v1', 'NetworkPolicy', 'db', {
      spec: {
        podSelector: { matchLabels: db },
        policyTypes: ['Ingress'],
        ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 5432, protocol: 'TCP' }] }],
      },
    }),
  ];
}

function workloads(object: MakeObject, { image, storageClass }: ApplicationOptions): KubeObject[] {
  return [
    object('apps/v1', 'StatefulSet', 'db', {
      spec: {
        ...{ replicas: 2, serviceName: 'db-nodes', podManagementPolicy: 'Parallel' },
        selector: { matchLabels: { app: 'db' } },
        template: {
          metadata: { labels: { app: 'db' } },
          spec: pod([
            container(image, 'database.py', {
              env: [{ name: 'DATA', value: '/data' }],
              readinessProbe: { tcpSocket: { port: 5432 }, periodSeconds: 1 },
              volumeMounts: [programsMount, { name: 'data', mountPath: '/data' }],
            }),
          ]),
        },
        volumeClaimTemplates: [
          {
            metadata: { name: 'data' },
            spec: {
              accessModes: ['ReadWriteOnce'],
              storageClassName: storageClass,
              resources: { requests: { storage: '1Gi' } },
            },
          },
        ],
      },
    }),
    object('apps/v1', 'Deployment', 'web', {
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: {
            ...pod([
              container(image, 'web.py', {
                env: [
                  { name: 'GREETING', valueFrom: { configMapKeyRef: { name: 'settings', key: 'greeting' } } },
                  { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
                ],
                ports: [{ name: 'http', containerPort: 8080 }],
                readinessProbe: { httpGet: { port: 'http' }, periodSeconds: 1 },
              }),
            ]),
            serviceAccountName: 'web',
          },
        },
      },
    }),
    object('batch/v1', 'CronJob', 'report', {
      spec: {
        ...{ schedule: '0 3 * * *', concurrencyPolicy: 'Forbid' },
        jobTemplate: { spec: { backoffLimit: 3, template: { spec: jobPod(image) } } },
      },
    }),
    object('autoscaling/v2', 'HorizontalPodAutoscaler', 'web', {
      spec: {
        ...{ minReplicas: 2, maxReplicas: 4 },
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        metrics: [
          {
            type: 'Resource',
            resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
          },
        ],
      },
    }),
    object('policy/v1', 'PodDisruptionBudget', 'web', {
      spec: { minAvailable: 1, selector: { matchLabels: { app: 'web' } } },
    }),
  ];
}

const programsMount = { name: 'programs', mountPath: '/app', readOnly: true };

function pod(containers: readonly object[]): object {
  return {
    ...{ automountServiceAccountToken: false, terminationGracePeriodSeconds: 1, containers },
    securityContext: {
      ...{ runAsNonRoot: true, runAsUser: 2000, runAsGroup: 2000, fsGroup: 2000 },
      seccompProfile: { type: 'RuntimeDefault' },
    },
    volumes: [{ name: 'programs', configMap: { name: 'programs' } }],
  };
}

function container(image: string, program: string, rest: object): object {
  return {
    ...{ name: 'main', image, imagePullPolicy: 'IfNotPresent', args: ['python3', `/app/${program}`] },
    resources: { requests: { cpu: '5m', memory: '16Mi' } },
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
    volumeMounts: [programsMount],
    ...rest,
  };
}

function jobPod(image: string): object {
  const password = {
    name: 'PASSWORD',
    valueFrom: { secretKeyRef: { name: 'credentials', key: 'password' } },
  };
  return { ...pod([container(image, 'report.py', { env: [password] })]), restartPolicy: 'Never' };
}
