import { type ReplicationSpec, replicationSpec } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { mappedImage } from './images.js';
import { compileMappings } from './mappings.js';
import { storageClassesOf } from './storage.js';

type Spec = Partial<ReplicationSpec>;

const mapped = (apiVersion: string, kind: string, fields: object, spec: object): KubeObject => {
  const object = structuredClone({ apiVersion, kind, metadata: { name: 'x' }, ...fields }) as KubeObject;
  compileMappings({
    spec: replicationSpec.parse({ destinationCluster: 'x', ...spec }),
    ...{ sourceNamespace: 'shop', destinationNamespace: 'shop-dr' },
  })(object);
  return object;
};

describe('Given an image', () => {
  const mapping = {
    'docker.io': 'mirror.local/hub',
    'docker.io/library': 'mirror.local/official/',
    'quay.io/team/app': 'registry.dr/app',
    'localhost:5000/': 'registry.dr:5000',
  };
  test.each([
    ['nginx', 'mirror.local/official/nginx'],
    ['nginx:1.27', 'mirror.local/official/nginx:1.27'],
    ['team/app@sha256:abc', 'mirror.local/hub/team/app@sha256:abc'],
    ['docker.io/team/app:1', 'mirror.local/hub/team/app:1'],
    ['quay.io/team/app:v2', 'registry.dr/app:v2'],
    ['quay.io/team/app/sub', 'registry.dr/app/sub'],
    ['quay.io/team/app2:v2', 'quay.io/team/app2:v2'],
    ['localhost:5000/x:1', 'registry.dr:5000/x:1'],
    ['ghcr.io/a/b', 'ghcr.io/a/b'],
  ])('%s becomes %s', (image, expected) => {
    expect(mappedImage(image, mapping)).toBe(expected);
  });

  test('"*" is the registry of all that are not named', () => {
    const all = { '*': 'mirror.local', 'quay.io': 'q.local' };
    expect(mappedImage('nginx', all)).toBe('mirror.local/library/nginx');
    expect(mappedImage('ghcr.io/a/b:1', all)).toBe('mirror.local/a/b:1');
    expect(mappedImage('quay.io/a', all)).toBe('q.local/a');
  });

  test.each([
    ['apps/v1', 'Deployment', (template: object) => ({ spec: { template } })],
    ['batch/v1', 'CronJob', (template: object) => ({ spec: { jobTemplate: { spec: { template } } } })],
    ['v1', 'PodTemplate', (template: object) => ({ template })],
    ['argoproj.io/v1alpha1', 'Rollout', (template: object) => ({ spec: { template } })],
    ['keda.sh/v1alpha1', 'ScaledJob', (template: object) => ({ spec: { jobTargetRef: { template } } })],
  ])('in a %s %s it is found', (apiVersion, kind, wrap) => {
    const pod = (registry: string) => ({
      spec: {
        containers: [{ name: 'a', image: `${registry}/a` }, { name: 'b' }],
        initContainers: [{ name: 'i', image: `${registry}/i:1` }],
        volumes: [
          { name: 'v', image: { reference: `${registry}/v` } },
          { name: 'e', emptyDir: {} },
        ],
      },
    });
    const result = mapped(apiVersion, kind, wrap(pod('quay.io')), {
      imageConfig: { registryMapping: { 'quay.io': 'mirror' } },
    });
    expect(result).toMatchObject(wrap(pod('mirror')));
  });
});

describe('Given host names', () => {
  const rules = (...hostMappings: object[]) => ({ ingressConfig: { hostMappings } });
  const host = (name: string, spec: object) =>
    mapped(
      'networking.k8s.io/v1',
      'Ingress',
      { spec: { rules: [{ host: name }], tls: [{ hosts: [name] }] } },
      spec,
    );

  test.each([
    ['shop.example.com', 'shop.dr.example.com', { suffix: 'example.com', replacement: 'dr.example.com' }],
    ['shop.example.com', 'shop.dr.org', { suffix: '.example.com', replacement: '.dr.org' }],
    ['example.com', 'dr.org', { suffix: 'example.com', replacement: 'dr.org' }],
    ['*.example.com', '*.dr.org', { suffix: 'example.com', replacement: 'dr.org' }],
    ['myexample.com', 'myexample.com', { suffix: 'example.com', replacement: 'dr.org' }],
    ['shop.eu.example.com', 'shop-dr.eu.example.com', { pattern: '([^.]+)\\.(.*)', replacement: '$1-dr.$2' }],
    ['shop.example.com', 'shop.example.com', { pattern: 'example', replacement: 'x' }],
  ])('%s becomes %s', (from, to, rule) => {
    expect(host(from, rules(rule))['spec']).toEqual({ rules: [{ host: to }], tls: [{ hosts: [to] }] });
  });

  test('the first rule that fits counts', () => {
    const spec = rules(
      { suffix: 'a.com', replacement: 'b.com' },
      { suffix: 'b.com', replacement: 'c.com' },
      { pattern: '.*', replacement: 'rest.com' },
    );
    expect(host('x.a.com', spec)['spec']).toMatchObject({ rules: [{ host: 'x.b.com' }] });
    expect(host('x.y.com', spec)['spec']).toMatchObject({ rules: [{ host: 'rest.com' }] });
  });

  test.each([
    ['HTTPRoute', { hostnames: ['a.com'] }, { hostnames: ['b.com'] }, 'gateway.networking.k8s.io/v1'],
    [
      'Gateway',
      { listeners: [{ hostname: 'a.com' }, {}] },
      { listeners: [{ hostname: 'b.com' }, {}] },
      'gateway.networking.k8s.io/v1',
    ],
    ['Route', { host: 'a.com' }, { host: 'b.com' }, 'route.openshift.io/v1'],
  ])('those of a %s are mapped', (kind, spec, expected, apiVersion) => {
    const replication = rules({ suffix: 'a.com', replacement: 'b.com' });
    expect(mapped(apiVersion, kind, { spec }, replication)['spec']).toEqual(expected);
  });

  test('those that external-dns would publish are mapped', () => {
    const metadata = { annotations: { 'external-dns.alpha.kubernetes.io/hostname': 'a.com, x.com' } };
    const result = mapped('v1', 'Service', { metadata }, rules({ suffix: 'a.com', replacement: 'b.com' }));
    expect(result.metadata.annotations).toEqual({
      'external-dns.alpha.kubernetes.io/hostname': 'b.com,x.com',
    });
  });

  test('what would be no host name fails, naming the rule', () => {
    const spec = rules({ suffix: 'x', replacement: 'y' }, { pattern: '(.*)', replacement: '$1_$1' });
    expect(() => host('a.com', spec)).toThrow(/hostMappings\[1\] makes "a.com_a.com" of "a.com"/);
  });

  test.each([
    [{ pattern: '(', replacement: 'x' }, /hostMappings\[0\]\.pattern: /],
    [{ pattern: 'a', suffix: 'b', replacement: 'x' }, /hostMappings\[0\]: give either/],
    [{ replacement: 'x' }, /hostMappings\[0\]: give either/],
  ])('%j is refused', (rule, message) => {
    expect(() => host('a.com', rules(rule))).toThrow(message);
  });

  test('classes of Ingresses are mapped', () => {
    const fields = {
      metadata: { annotations: { 'kubernetes.io/ingress.class': 'old' } },
      spec: { ingressClassName: 'nginx' },
    };
    const spec = { ingressConfig: { classMapping: { nginx: 'haproxy', '*': 'rest' } } };
    expect(mapped('networking.k8s.io/v1', 'Ingress', fields, spec)).toMatchObject({
      metadata: { annotations: { 'kubernetes.io/ingress.class': 'rest' } },
      spec: { ingressClassName: 'haproxy' },
    });
  });
});

describe('Given references to namespaces', () => {
  const spec: Spec = { namespaceMapping: { db: 'db-dr' } };
  const NAME = 'kubernetes.io/metadata.name';
  test.each<[string, string, string, object, object]>([
    [
      'subjects', 'rbac.authorization.k8s.io/v1', 'RoleBinding',
      { subjects: [{ kind: 'ServiceAccount', name: 'a', namespace: 'shop' }, { kind: 'ServiceAccount', name: 'a', namespace: 'db' }, { kind: 'User', name: 'shop' }, { kind: 'User', name: 'system:serviceaccount:shop:a' }, { kind: 'Group', name: 'system:serviceaccounts:db' }, { kind: 'Group', name: 'system:serviceaccounts' }] },
      { subjects: [{ kind: 'ServiceAccount', name: 'a', namespace: 'shop-dr' }, { kind: 'ServiceAccount', name: 'a', namespace: 'db-dr' }, { kind: 'User', name: 'shop' }, { kind: 'User', name: 'system:serviceaccount:shop-dr:a' }, { kind: 'Group', name: 'system:serviceaccounts:db-dr' }, { kind: 'Group', name: 'system:serviceaccounts' }] },
    ],
    [
      'selectors by name', 'networking.k8s.io/v1', 'NetworkPolicy',
      { spec: { ingress: [{ from: [{ namespaceSelector: { matchLabels: { [NAME]: 'shop', team: 'shop' } } }] }], egress: [{ to: [{ namespaceSelector: { matchExpressions: [{ key: NAME, operator: 'In', values: ['shop', 'db', 'other'] }, { key: 'team', operator: 'In', values: ['shop'] }] } }] }, {}] } },
      { spec: { ingress: [{ from: [{ namespaceSelector: { matchLabels: { [NAME]: 'shop-dr', team: 'shop' } } }] }], egress: [{ to: [{ namespaceSelector: { matchExpressions: [{ key: NAME, operator: 'In', values: ['shop-dr', 'db-dr', 'other'] }, { key: 'team', operator: 'In', values: ['shop'] }] } }] }, {}] } },
    ],
    ['a Service elsewhere', 'v1', 'Service', { spec: { type: 'ExternalName', externalName: 'pg.db.svc.cluster.local' } }, { spec: { type: 'ExternalName', externalName: 'pg.db-dr.svc.cluster.local' } }],
    ['a pod behind a headless Service', 'v1', 'Service', { spec: { type: 'ExternalName', externalName: 'pg-0.pg.db.svc' } }, { spec: { type: 'ExternalName', externalName: 'pg-0.pg.db-dr.svc' } }],
    ['a host outside', 'v1', 'Service', { spec: { type: 'ExternalName', externalName: 'db.shop.example.com' } }, { spec: { type: 'ExternalName', externalName: 'db.shop.example.com' } }],
    [
      'a webhook', 'admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration',
      { webhooks: [{ clientConfig: { service: { name: 'w', namespace: 'shop' } }, namespaceSelector: { matchLabels: { [NAME]: 'shop' } } }, { clientConfig: { url: 'https://x' } }] },
      { webhooks: [{ clientConfig: { service: { name: 'w', namespace: 'shop-dr' } }, namespaceSelector: { matchLabels: { [NAME]: 'shop-dr' } } }, { clientConfig: { url: 'https://x' } }] },
    ],
    [
      'a conversion', 'apiextensions.k8s.io/v1', 'CustomResourceDefinition',
      { spec: { conversion: { strategy: 'Webhook', webhook: { clientConfig: { service: { name: 'w', namespace: 'shop' } } } } } },
      { spec: { conversion: { strategy: 'Webhook', webhook: { clientConfig: { service: { name: 'w', namespace: 'shop-dr' } } } } } },
    ],
    [
      'a route', 'gateway.networking.k8s.io/v1', 'HTTPRoute',
      { spec: { parentRefs: [{ name: 'g', namespace: 'infra' }], rules: [{ backendRefs: [{ name: 'b', namespace: 'db' }], filters: [{ requestMirror: { backendRef: { name: 'm', namespace: 'shop' } } }] }] } },
      { spec: { parentRefs: [{ name: 'g', namespace: 'infra' }], rules: [{ backendRefs: [{ name: 'b', namespace: 'db-dr' }], filters: [{ requestMirror: { backendRef: { name: 'm', namespace: 'shop-dr' } } }] }] } },
    ],
    ['a monitor', 'monitoring.coreos.com/v1', 'ServiceMonitor', { spec: { namespaceSelector: { matchNames: ['shop', 'x'] } } }, { spec: { namespaceSelector: { matchNames: ['shop-dr', 'x'] } } }],
    [
      'an affinity', 'apps/v1', 'Deployment',
      { spec: { template: { spec: { containers: [], affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ namespaces: ['shop'] }], preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: { namespaces: ['db'] } }] } } } } } },
      { spec: { template: { spec: { containers: [], affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ namespaces: ['shop-dr'] }], preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: { namespaces: ['db-dr'] } }] } } } } } },
    ],
  ])('%s: they are mapped', (_title, apiVersion, kind, fields, expected) => {
    expect(mapped(apiVersion, kind, fields, spec)).toEqual({ apiVersion, kind, metadata: { name: 'x' }, ...expected });
  }); // prettier-ignore

  test('a mapping that contradicts the destination of the Replication is refused', () => {
    expect(() => mapped('v1', 'ConfigMap', {}, { namespaceMapping: { shop: 'other' } })).toThrow(
      'spec.namespaceMapping.shop is other, but this Replication brings it to shop-dr',
    );
  });
});

describe('Given claims', () => {
  const claim = (storageClassName: string, accessModes: string[]) => ({
    spec: { storageClassName, accessModes },
  });
  const config = {
    pvcConfig: {
      storageClassMapping: { fast: 'std', '*': 'rest' },
      accessModeMapping: { ReadWriteMany: 'ReadWriteOnce' },
    },
  };
  test('those inside of workloads are mapped too', () => {
    const set = mapped(
      ...(['apps/v1', 'StatefulSet'] as const),
      {
        spec: {
          volumeClaimTemplates: [claim('fast', ['ReadWriteMany'])],
          template: {
            spec: {
              containers: [],
              volumes: [{ ephemeral: { volumeClaimTemplate: claim('slow', ['ReadWriteOnce']) } }],
            },
          },
        },
      },
      config,
    );
    expect(set['spec']).toEqual({
      volumeClaimTemplates: [claim('std', ['ReadWriteOnce'])],
      template: {
        spec: {
          containers: [],
          volumes: [{ ephemeral: { volumeClaimTemplate: claim('rest', ['ReadWriteOnce']) } }],
        },
      },
    });
    expect(storageClassesOf(set)).toEqual(['std']);
  });

  test('a class in the annotation of old is mapped and found', () => {
    const metadata = { name: 'x', annotations: { 'volume.beta.kubernetes.io/storage-class': 'fast' } };
    const result = mapped('v1', 'PersistentVolumeClaim', { metadata, spec: {} }, config);
    expect(storageClassesOf(result)).toEqual(['std']);
  });
});
