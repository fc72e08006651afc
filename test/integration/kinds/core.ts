import { expect } from '@jest/globals';

import { containerDefaults, type KindCase, object, podDefaults } from './case.js';

const longName = 'n'.repeat(253);

export const coreCases: readonly KindCase[] = [
  {
    title: 'ConfigMap, with a rule of the user',
    source: object('v1', 'ConfigMap', 'settings', {
      metadata: { labels: { app: 'shop' }, annotations: { note: 'kept' } },
      data: { region: 'east', other: 'x' },
      binaryData: { blob: 'AAEC' },
      immutable: false,
    }),
    expected: {
      labels: { app: 'shop' },
      annotations: { note: 'kept' },
      data: { region: 'west', other: 'x' },
      binaryData: { blob: 'AAEC' },
      immutable: false,
    },
  },
  {
    title: 'ConfigMap, name at the limit',
    source: object('v1', 'ConfigMap', longName, { metadata: { labels: { l: 'v'.repeat(63) } } }),
    expected: { labels: { l: 'v'.repeat(63) } },
  },
  {
    title: 'Secret',
    source: object('v1', 'Secret', 'password', {
      type: 'example.com/x',
      stringData: { password: 'hunter2' },
    }),
    expected: { type: 'example.com/x', data: { password: 'aHVudGVyMg==' } },
  },
  {
    title: 'Secret of Helm, asked for',
    source: object('v1', 'Secret', 'sh.helm.release.v1.shop.v1', {
      type: 'helm.sh/release.v1',
      data: { release: 'SDRzSUE=' },
    }),
    expected: { type: 'helm.sh/release.v1', data: { release: 'SDRzSUE=' } },
  },
  {
    title: 'ServiceAccount, without the tokens of its cluster',
    source: object('v1', 'ServiceAccount', 'app', {
      secrets: [{ name: 'app-token-x1' }],
      imagePullSecrets: [{ name: 'app-dockercfg-abcde' }, { name: 'mine' }],
      automountServiceAccountToken: false,
    }),
    expected: { imagePullSecrets: [{ name: 'mine' }], automountServiceAccountToken: false },
  },
  {
    title: 'Service with an address',
    source: object('v1', 'Service', 'web', {
      metadata: { annotations: { 'external-dns.alpha.kubernetes.io/hostname': 'www.shop.example' } },
      spec: {
        selector: { app: 'web' },
        ports: [{ port: 80, targetPort: 'http' }],
        sessionAffinity: 'ClientIP',
      },
    }),
    expected: {
      annotations: { 'external-dns.alpha.kubernetes.io/hostname': 'www.shop.dr.example' },
      spec: {
        ...{ type: 'ClusterIP', selector: { app: 'web' }, internalTrafficPolicy: 'Cluster' },
        clusterIP: expect.stringMatching(/^10\./),
        clusterIPs: [expect.stringMatching(/^10\./)],
        ...{ ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' },
        ports: [{ port: 80, protocol: 'TCP', targetPort: 'http' }],
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 10_800 } },
      },
      status: { loadBalancer: {} },
    },
  },
  {
    title: 'headless Service',
    source: object('v1', 'Service', 'db', {
      spec: {
        clusterIP: 'None',
        selector: { app: 'db' },
        ports: [{ port: 5432 }],
        publishNotReadyAddresses: true,
      },
    }),
    expected: {
      spec: {
        ...{ type: 'ClusterIP', selector: { app: 'db' }, internalTrafficPolicy: 'Cluster' },
        ...{ clusterIP: 'None', clusterIPs: ['None'], ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' },
        ports: [{ port: 5432, protocol: 'TCP', targetPort: 5432 }],
        publishNotReadyAddresses: true,
        sessionAffinity: 'None',
      },
      status: { loadBalancer: {} },
    },
  },
  {
    title: 'Service with a node port of its own, which the destination allocates anew',
    source: object('v1', 'Service', 'admin', {
      spec: {
        type: 'NodePort',
        selector: { app: 'admin' },
        ports: [{ name: 'a', port: 81, nodePort: 30_081 }],
      },
    }),
    expected: {
      spec: {
        ...{ type: 'NodePort', selector: { app: 'admin' }, internalTrafficPolicy: 'Cluster' },
        ...{ externalTrafficPolicy: 'Cluster', sessionAffinity: 'None' },
        clusterIP: expect.stringMatching(/^10\./),
        clusterIPs: [expect.stringMatching(/^10\./)],
        ...{ ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' },
        ports: [{ name: 'a', port: 81, protocol: 'TCP', targetPort: 81, nodePort: otherThan(30_081) }],
      },
      status: { loadBalancer: {} },
    },
  },
  {
    title: 'Service with a load balancer',
    source: object('v1', 'Service', 'edge', {
      spec: {
        ...{ type: 'LoadBalancer', selector: { app: 'edge' }, externalTrafficPolicy: 'Local' },
        ...{ loadBalancerSourceRanges: ['192.0.2.0/24'], healthCheckNodePort: 32_055 },
        ports: [{ port: 443, nodePort: 30_443 }],
      },
    }),
    status: { loadBalancer: { ingress: [{ hostname: 'lb.example' }] } },
    expected: {
      spec: {
        ...{ type: 'LoadBalancer', selector: { app: 'edge' }, externalTrafficPolicy: 'Local' },
        ...{ loadBalancerSourceRanges: ['192.0.2.0/24'], healthCheckNodePort: otherThan(32_055) },
        ...{ allocateLoadBalancerNodePorts: true, internalTrafficPolicy: 'Cluster', sessionAffinity: 'None' },
        clusterIP: expect.stringMatching(/^10\./),
        clusterIPs: [expect.stringMatching(/^10\./)],
        ...{ ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' },
        ports: [{ port: 443, protocol: 'TCP', targetPort: 443, nodePort: otherThan(30_443) }],
      },
      status: { loadBalancer: {} },
    },
  },
  {
    title: 'Service for a name in another namespace',
    source: object('v1', 'Service', 'pg', {
      spec: { type: 'ExternalName', externalName: 'pg.db.svc.cluster.local' },
    }),
    expected: {
      spec: { type: 'ExternalName', externalName: 'pg.db-dr.svc.cluster.local', sessionAffinity: 'None' },
      status: { loadBalancer: {} },
    },
  },
  {
    title: 'Endpoints of the user',
    source: object('v1', 'Endpoints', 'outside', {
      subsets: [
        {
          addresses: [
            { ip: '192.0.2.1', nodeName: 'n1', targetRef: { kind: 'Node', name: 'n1', uid: 'u1' } },
            { ip: '192.0.2.2', hostname: 'b' },
          ],
          ports: [{ port: 9000 }],
        },
      ],
    }),
    expected: {
      subsets: [
        {
          addresses: [{ ip: '192.0.2.1' }, { ip: '192.0.2.2', hostname: 'b' }],
          ports: [{ port: 9000, protocol: 'TCP' }],
        },
      ],
    },
  },
  {
    title: 'EndpointSlice of the user',
    source: object('discovery.k8s.io/v1', 'EndpointSlice', 'outside-1', {
      metadata: { labels: { 'kubernetes.io/service-name': 'outside' } },
      addressType: 'IPv4',
      endpoints: [
        {
          addresses: ['192.0.2.1'],
          conditions: { ready: true },
          nodeName: 'n1',
          targetRef: { kind: 'Node', name: 'n1', uid: 'u1' },
        },
      ],
      ports: [{ name: 'x', port: 9000 }],
    }),
    expected: {
      labels: { 'kubernetes.io/service-name': 'outside' },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['192.0.2.1'], conditions: { ready: true } }],
      ports: [{ name: 'x', port: 9000, protocol: 'TCP' }],
    },
  },
  {
    title: 'PersistentVolumeClaim, bound in the source',
    source: object('v1', 'PersistentVolumeClaim', 'data', {
      metadata: {
        annotations: {
          'pv.kubernetes.io/bind-completed': 'yes',
          'pv.kubernetes.io/bound-by-controller': 'yes',
          'volume.kubernetes.io/selected-node': 'n1',
          'volume.kubernetes.io/storage-provisioner': 'example.com/csi',
          mine: 'kept',
        },
      },
      spec: {
        ...{ accessModes: ['ReadWriteMany'], storageClassName: 'fast', volumeName: 'pvc-1' },
        ...{ resources: { requests: { storage: '1Gi' } }, selector: { matchLabels: { disk: 'a' } } },
        dataSource: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'snap' },
      },
    }),
    status: { phase: 'Bound', capacity: { storage: '1Gi' } },
    expected: {
      annotations: { mine: 'kept' },
      finalizers: ['kubernetes.io/pvc-protection'],
      spec: {
        ...{ accessModes: ['ReadWriteOnce'], storageClassName: 'standard', volumeMode: 'Filesystem' },
        resources: { requests: { storage: '1Gi' } },
      },
      status: { phase: 'Pending' },
    },
  },
  {
    title: 'PodTemplate',
    source: object('v1', 'PodTemplate', 'base', {
      template: {
        metadata: { labels: { app: 'base' } },
        spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'quay.io/team/base:1' }] },
      },
    }),
    expected: {
      template: {
        metadata: { labels: { app: 'base' } },
        spec: {
          ...podDefaults,
          containers: [{ ...containerDefaults, name: 'c', image: 'mirror.dr/quay/team/base:1' }],
        },
      },
    },
  },
  {
    title: 'ResourceQuota',
    source: object('v1', 'ResourceQuota', 'quota', { spec: { hard: { pods: '10' } } }),
    status: { hard: { pods: '10' }, used: { pods: '3' } },
    expected: { spec: { hard: { pods: '10' } }, status: {} },
  },
  {
    title: 'LimitRange',
    source: object('v1', 'LimitRange', 'limits', {
      spec: { limits: [{ type: 'PersistentVolumeClaim', max: { storage: '2Gi' } }] },
    }),
    expected: { spec: { limits: [{ type: 'PersistentVolumeClaim', max: { storage: '2Gi' } }] } },
  },
  {
    title: 'Role',
    source: object('rbac.authorization.k8s.io/v1', 'Role', 'reader', {
      rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }],
    }),
    expected: { rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }] },
  },
  {
    title: 'RoleBinding, with accounts of this namespace and of others',
    source: object('rbac.authorization.k8s.io/v1', 'RoleBinding', 'readers', {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' },
      subjects: [
        { kind: 'ServiceAccount', name: 'app', namespace: 'shop' },
        { kind: 'ServiceAccount', name: 'pg', namespace: 'db' },
        { kind: 'ServiceAccount', name: 'x', namespace: 'elsewhere' },
        { kind: 'Group', name: 'system:serviceaccounts:shop' },
      ],
    }),
    expected: {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' },
      subjects: [
        { kind: 'ServiceAccount', name: 'app', namespace: 'shop-dr' },
        { kind: 'ServiceAccount', name: 'pg', namespace: 'db-dr' },
        { kind: 'ServiceAccount', name: 'x', namespace: 'elsewhere' },
        { apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'system:serviceaccounts:shop-dr' },
      ],
    },
  },
];

/** A number that the destination has chosen itself. */
function otherThan(port: number): unknown {
  return {
    asymmetricMatch: (value: unknown) => typeof value === 'number' && value >= 30_000 && value !== port,
    toString: () => `a port other than ${port}`,
  };
}
