import { type KindCase, object } from './case.js';

const NAME = 'kubernetes.io/metadata.name';
const gateway = 'gateway.networking.k8s.io/v1';

export const networkingCases: readonly KindCase[] = [
  {
    title: 'Ingress',
    source: object('networking.k8s.io/v1', 'Ingress', 'web', {
      spec: {
        ingressClassName: 'nginx',
        tls: [{ hosts: ['www.shop.example', 'pay.api.example'], secretName: 'tls' }],
        rules: [
          {
            host: 'www.shop.example',
            http: {
              paths: [
                {
                  path: '/',
                  pathType: 'Prefix',
                  backend: { service: { name: 'web', port: { number: 80 } } },
                },
              ],
            },
          },
          { host: 'pay.api.example' },
          { host: 'untouched.example' },
        ],
      },
    }),
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.7' }] } },
    expected: {
      spec: {
        ingressClassName: 'haproxy',
        tls: [{ hosts: ['www.shop.dr.example', 'pay.api-dr.example'], secretName: 'tls' }],
        rules: [
          {
            host: 'www.shop.dr.example',
            http: {
              paths: [
                {
                  path: '/',
                  pathType: 'Prefix',
                  backend: { service: { name: 'web', port: { number: 80 } } },
                },
              ],
            },
          },
          { host: 'pay.api-dr.example' },
          { host: 'untouched.example' },
        ],
      },
      status: { loadBalancer: {} },
    },
  },
  {
    title: 'NetworkPolicy',
    source: object('networking.k8s.io/v1', 'NetworkPolicy', 'only-shop', {
      spec: {
        podSelector: {},
        ingress: [
          {
            from: [
              { namespaceSelector: { matchLabels: { [NAME]: 'shop' } } },
              { ipBlock: { cidr: '10.0.0.0/8' } },
            ],
          },
        ],
        egress: [
          {
            to: [
              {
                namespaceSelector: {
                  matchExpressions: [{ key: NAME, operator: 'In', values: ['db', 'kube-system'] }],
                },
              },
            ],
          },
        ],
        policyTypes: ['Ingress', 'Egress'],
      },
    }),
    expected: {
      spec: {
        podSelector: {},
        ingress: [
          {
            from: [
              { namespaceSelector: { matchLabels: { [NAME]: 'shop-dr' } } },
              { ipBlock: { cidr: '10.0.0.0/8' } },
            ],
          },
        ],
        egress: [
          {
            to: [
              {
                namespaceSelector: {
                  matchExpressions: [{ key: NAME, operator: 'In', values: ['db-dr', 'kube-system'] }],
                },
              },
            ],
          },
        ],
        policyTypes: ['Ingress', 'Egress'],
      },
    },
  },
  {
    title: 'HTTPRoute',
    source: object(gateway, 'HTTPRoute', 'web', {
      spec: {
        hostnames: ['www.shop.example'],
        parentRefs: [{ name: 'edge', namespace: 'infra' }],
        rules: [{ backendRefs: [{ name: 'web', namespace: 'shop', port: 80 }] }],
      },
      status: { parents: [] },
    }),
    expected: {
      spec: {
        hostnames: ['www.shop.dr.example'],
        parentRefs: [{ name: 'edge', namespace: 'infra' }],
        rules: [{ backendRefs: [{ name: 'web', namespace: 'shop-dr', port: 80 }] }],
      },
    },
  },
  {
    title: 'GRPCRoute',
    source: object(gateway, 'GRPCRoute', 'api', {
      spec: { hostnames: ['a.api.example'], parentRefs: [{ name: 'e' }] },
    }),
    expected: { spec: { hostnames: ['a.api-dr.example'], parentRefs: [{ name: 'e' }] } },
  },
  {
    title: 'TLSRoute',
    source: object(gateway, 'TLSRoute', 'tls', {
      spec: { hostnames: ['t.shop.example'], rules: [{ backendRefs: [{ name: 'pg', namespace: 'db' }] }] },
    }),
    expected: {
      spec: {
        hostnames: ['t.shop.dr.example'],
        rules: [{ backendRefs: [{ name: 'pg', namespace: 'db-dr' }] }],
      },
    },
  },
  {
    title: 'Gateway',
    source: object(gateway, 'Gateway', 'edge', {
      spec: {
        listeners: [
          {
            ...{ name: 'https', hostname: '*.shop.example' },
            tls: { certificateRefs: [{ name: 'tls', namespace: 'shop' }] },
            allowedRoutes: {
              namespaces: { from: 'Selector', selector: { matchLabels: { [NAME]: 'shop' } } },
            },
          },
        ],
      },
      status: { addresses: [{ value: '192.0.2.3' }] },
    }),
    expected: {
      spec: {
        listeners: [
          {
            ...{ name: 'https', hostname: '*.shop.dr.example' },
            tls: { certificateRefs: [{ name: 'tls', namespace: 'shop-dr' }] },
            allowedRoutes: {
              namespaces: { from: 'Selector', selector: { matchLabels: { [NAME]: 'shop-dr' } } },
            },
          },
        ],
      },
    },
  },
  {
    title: 'ReferenceGrant',
    source: object(gateway, 'ReferenceGrant', 'from-db', {
      spec: { from: [{ group: 'apps', kind: 'X', namespace: 'db' }], to: [{ group: '', kind: 'Secret' }] },
    }),
    expected: {
      spec: { from: [{ group: 'apps', kind: 'X', namespace: 'db-dr' }], to: [{ group: '', kind: 'Secret' }] },
    },
  },
  {
    title: 'Route of OpenShift, with a host that its cluster made',
    source: object('route.openshift.io/v1', 'Route', 'made', {
      metadata: { annotations: { 'openshift.io/host.generated': 'true' } },
      spec: { host: 'made-shop.apps.source.example', to: { kind: 'Service', name: 'web' } },
      status: { ingress: [] },
    }),
    expected: { spec: { to: { kind: 'Service', name: 'web' } } },
  },
  {
    title: 'VirtualService',
    source: object('networking.istio.io/v1', 'VirtualService', 'web', {
      spec: { hosts: ['web'], http: [{ x: 1 }] },
    }),
    expected: { spec: { hosts: ['web'], http: [{ x: 1 }] } },
  },
  {
    title: 'DestinationRule',
    source: object('networking.istio.io/v1', 'DestinationRule', 'web', {
      spec: { host: 'web', trafficPolicy: { tls: { mode: 'ISTIO_MUTUAL' } } },
    }),
    expected: { spec: { host: 'web', trafficPolicy: { tls: { mode: 'ISTIO_MUTUAL' } } } },
  },
];
