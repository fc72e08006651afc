import type { ApiResource, KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { selectForDrill } from './objects.js';

const type = (group: string, kind: string): ApiResource => ({
  ...{ group, version: 'v1', plural: `${kind.toLowerCase()}s`, kind, namespaced: true },
  ...{ verbs: [], subresources: [], shortNames: [], singular: kind.toLowerCase(), categories: [] },
});
const found = (group: string, kind: string, rest: object = {}, metadata: object = {}) => ({
  resource: type(group, kind),
  object: {
    ...{ apiVersion: group === '' ? 'v1' : `${group}/v1`, kind },
    metadata: { name: 'x', namespace: 'shop', uid: 'u', resourceVersion: '1', ...metadata },
    ...rest,
  } as KubeObject,
});
const select = (...objects: ReturnType<typeof found>[]) => selectForDrill(objects, 'shop', 'shop-drill-a1b2');
const workload = (spec: object) => found('apps', 'Deployment', { spec: { template: { spec } } });

describe('Given the objects of a standby', () => {
  test('When a drill is made of them Then what reaches beyond the namespace is left out, and named', () => {
    const { objects, left } = select(
      found('apps', 'Deployment', { spec: { replicas: 0 } }),
      found('', 'Secret'),
      found('networking.k8s.io', 'Ingress'),
      found('networking.k8s.io', 'NetworkPolicy'),
      found('cert-manager.io', 'Certificate'),
      found('autoscaling', 'HorizontalPodAutoscaler'),
      found('', 'Endpoints', { subsets: [{ addresses: [{ ip: '192.0.2.1' }] }] }),
      found('', 'PersistentVolumeClaim'),
    );
    expect(objects.map(({ object }) => object.kind)).toEqual(['Deployment', 'Secret']);
    expect(new Set(objects.map(({ object }) => object.metadata.namespace))).toEqual(
      new Set(['shop-drill-a1b2']),
    );
    expect(left.map(({ kind, reason }) => `${kind}: ${reason}`)).toEqual([
      'Certificate: acted on by others',
      'Endpoints: names addresses outside',
      'HorizontalPodAutoscaler: acted on by others',
      'Ingress: lets traffic in or out',
      'NetworkPolicy: lets traffic in or out',
    ]);
  });

  test('When something is made by the cluster itself Then it is neither copied nor missed', () => {
    const { objects, left } = select(
      found('', 'ConfigMap', {}, { name: 'kube-root-ca.crt' }),
      found('', 'ServiceAccount', {}, { name: 'default' }),
      found('', 'Secret', { type: 'kubernetes.io/service-account-token' }),
      found(
        'discovery.k8s.io',
        'EndpointSlice',
        {},
        { labels: { 'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io' } },
      ),
    );
    expect({ objects, left }).toEqual({ objects: [], left: [] });
  });

  test('When one is at rest Then it is so in the drill, with the number that it is started with', () => {
    const [one] = select(
      found(
        'apps',
        'Deployment',
        { spec: { replicas: 0 } },
        { annotations: { 'dr-syncer.io/original-replicas': '3' } },
      ),
    ).objects;
    expect(one?.object).toMatchObject({
      metadata: { annotations: { 'dr-syncer.io/original-replicas': '3' } },
      spec: { replicas: 0 },
    });
  });

  test('When one carries the marks of a standby Then it does not in the drill: no sync takes it for its own', () => {
    const marks = {
      labels: { 'dr-syncer.io/managed-by': 'dr-syncer', 'dr-syncer.io/replication': 'u', app: 'web' },
      annotations: { 'dr-syncer.io/source': 'shop/x', 'dr-syncer.io/desired-hash': 'h' },
    };
    expect(select(found('', 'ConfigMap', {}, marks)).objects[0]?.object.metadata).toEqual({
      name: 'x',
      namespace: 'shop-drill-a1b2',
      labels: { app: 'web', 'dr-syncer.io/drill-of': 'shop' },
      annotations: {},
    });
  });

  test.each([
    ['hostNetwork', { hostNetwork: true }, 'uses the network of its node'],
    ['hostPID', { hostPID: true }, 'sees the processes of its node'],
    ['hostPath', { volumes: [{ name: 'v', hostPath: { path: '/' } }] }, 'has a volume of kind hostPath'],
    ['nfs', { volumes: [{ name: 'v', nfs: { server: 's' } }] }, 'has a volume of kind nfs'],
    ['an inline driver', { volumes: [{ name: 'v', csi: { driver: 'd' } }] }, 'has a volume of kind csi'],
    ['hostPort', { containers: [{ ports: [{ hostPort: 80 }] }] }, 'takes a port of its node'],
    ['privileges', { containers: [{ securityContext: { privileged: true } }] }, 'runs privileged'],
    [
      'privileges of an init container',
      { containers: [], initContainers: [{ securityContext: { privileged: true } }] },
      'runs privileged',
    ],
  ])('When a workload has %s, which no policy holds back Then it is left out', (_title, spec, reason) => {
    const { objects, left } = select(workload({ containers: [], ...spec }));
    expect(objects).toEqual([]);
    expect(left).toEqual([{ kind: 'Deployment', name: 'x', reason }]);
  });

  test('When a workload has volumes of its own namespace alone Then it comes along', () => {
    const volumes = [
      ...['configMap', 'secret', 'emptyDir', 'projected', 'downwardAPI', 'persistentVolumeClaim'],
    ].map((kind) => ({ name: kind, [kind]: {} }));
    expect(select(workload({ containers: [{ ports: [{ containerPort: 80 }] }], volumes })).left).toEqual([]);
  });

  test.each([
    [
      'LoadBalancer',
      {
        type: 'LoadBalancer',
        loadBalancerIP: '1.2.3.4',
        externalTrafficPolicy: 'Local',
        ports: [{ port: 1 }],
      },
    ],
    ['NodePort', { type: 'NodePort', externalIPs: ['1.2.3.4'], ports: [{ port: 1, nodePort: 30001 }] }],
  ])('When a Service is a %s Then it lets nobody in', (_name, spec) => {
    expect(select(found('', 'Service', { spec })).objects[0]?.object['spec']).toEqual({
      type: 'ClusterIP',
      ports: [{ port: 1 }],
    });
  });

  test('When a Service names a host outside Then it is left out', () => {
    const spec = { type: 'ExternalName', externalName: 'db.example.com' };
    expect(select(found('', 'Service', { spec }))).toEqual({
      objects: [],
      left: [{ kind: 'Service', name: 'x', reason: 'names a host outside' }],
    });
  });

  test('When annotations tell somebody outside what to do Then they are gone: names, roles of a cloud, copies elsewhere', () => {
    const outside = {
      'external-dns.alpha.kubernetes.io/hostname': 'shop.example.com',
      'eks.amazonaws.com/role-arn': 'arn:aws:iam::1:role/shop',
      'replicator.v1.mittwald.de/replicate-to': '.*',
    };
    const own = { 'service.beta.openshift.io/serving-cert-secret-name': 'tls' };
    const kinds = ['Service', 'ServiceAccount', 'Secret'];
    for (const { object } of select(
      ...kinds.map((kind) => found('', kind, {}, { annotations: { ...outside, ...own } })),
    ).objects) {
      expect(object.metadata.annotations).toEqual(own);
    }
  });
});
