import type { KubeObject } from './kubectl.js';

/** The namespace of the demo's application. */
export const SHOP = 'shop';
/** On both namespaces: the demo made them, so it may delete them. */
export const DEMO_LABEL = { 'app.kubernetes.io/part-of': 'dr-syncer-demo' } as const;
/** Pod, claim and directory of the data. */
export const DATA = { pod: 'db-0', claim: 'data-db-0', container: 'db', dir: '/data' } as const;
export const CONFIG_MAP = 'shop-config';

export interface ShopOptions {
  readonly image: string;
  readonly storageClass: string;
}

/**
 * Root with the capabilities to give files away, and no more: the volume gets owners that its pod does not run as.
 * The level "baseline" of pod security allows these (https://kubernetes.io/docs/concepts/security/pod-security-standards/).
 */
export const rootForForeignOwners = {
  runAsUser: 0,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'], add: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID'] },
} as const;

const restricted = {
  runAsUser: 1000,
  runAsNonRoot: true,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
} as const;

/** Needs only python3-minimal, which has no http.server. */
const webServer = `import os, socket
listener = socket.create_server(('', 8080), family=socket.AF_INET)
while True:
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(5)
        try:
            connection.recv(4096)
            body = (os.environ['GREETING'] + '\\n').encode()
            head = 'HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n' % len(body)
            connection.sendall(head.encode() + body)
        except OSError:
            pass
`;

/** A namespace as the demo makes it at either end. */
export function shopNamespace(): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name: SHOP,
      labels: { ...DEMO_LABEL, 'pod-security.kubernetes.io/enforce': 'baseline' },
    },
  };
}

/** A small web shop: a stateless front with two replicas and a database with a volume. */
export function shopObjects(options: ShopOptions): KubeObject[] {
  return [
    object('v1', 'ServiceAccount', 'shop', { automountServiceAccountToken: false }),
    shopConfig('Welcome'),
    object('v1', 'ConfigMap', 'shop-web', {
      data: { 'web.py': webServer },
      binaryData: { icon: 'iVBORw0KGgo=' },
    }),
    object('v1', 'Secret', 'shop-credentials', {
      type: 'Opaque',
      // Two values that a careless copy changes: a newline at the end, and bytes that are no text.
      data: { password: 'ZGVtbyBvbmx5Cg==', token: '//4AAQID' },
    }),
    service('web', { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] }),
    service('db', { clusterIP: 'None', selector: { app: 'db' }, ports: [{ name: 'db', port: 5432 }] }),
    deployment(options.image),
    statefulSet(options),
  ];
}

export function shopConfig(greeting: string): KubeObject {
  return object('v1', 'ConfigMap', CONFIG_MAP, { data: { greeting, currency: 'EUR' } });
}

function object(apiVersion: string, kind: string, name: string, rest: Record<string, unknown>): KubeObject {
  return { apiVersion, kind, metadata: { name, namespace: SHOP, labels: { shop: 'demo' } }, ...rest };
}

function service(name: string, spec: Record<string, unknown>): KubeObject {
  return object('v1', 'Service', name, { spec });
}

function deployment(image: string): KubeObject {
  const container = {
    name: 'web',
    image,
    imagePullPolicy: 'IfNotPresent',
    args: ['python3', '/app/web.py'],
    env: [
      { name: 'GREETING', valueFrom: { configMapKeyRef: { name: CONFIG_MAP, key: 'greeting' } } },
      { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'shop-credentials', key: 'password' } } },
    ],
    ports: [{ name: 'http', containerPort: 8080 }],
    readinessProbe: { tcpSocket: { port: 'http' }, periodSeconds: 1 },
    securityContext: restricted,
    volumeMounts: [{ name: 'app', mountPath: '/app', readOnly: true }],
  };
  return object('apps/v1', 'Deployment', 'web', {
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          serviceAccountName: 'shop',
          terminationGracePeriodSeconds: 1,
          containers: [container],
          volumes: [{ name: 'app', configMap: { name: 'shop-web' } }],
        },
      },
    },
  });
}

function statefulSet(options: ShopOptions): KubeObject {
  const container = {
    name: DATA.container,
    image: options.image,
    imagePullPolicy: 'IfNotPresent',
    args: ['sleep', 'infinity'],
    securityContext: rootForForeignOwners,
    volumeMounts: [{ name: 'data', mountPath: DATA.dir }],
  };
  return object('apps/v1', 'StatefulSet', 'db', {
    spec: {
      replicas: 1,
      serviceName: 'db',
      selector: { matchLabels: { app: 'db' } },
      template: {
        metadata: { labels: { app: 'db' } },
        spec: { serviceAccountName: 'shop', terminationGracePeriodSeconds: 1, containers: [container] },
      },
      volumeClaimTemplates: [
        {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          metadata: { name: 'data' },
          spec: {
            accessModes: ['ReadWriteOnce'],
            storageClassName: options.storageClass,
            resources: { requests: { storage: '1Gi' } },
          },
        },
      ],
    },
  });
}

/** A pod that mounts the copy read-only, for the time of a comparison. */
export function verifierPod(image: string): KubeObject {
  const container = {
    name: 'verify',
    image,
    imagePullPolicy: 'IfNotPresent',
    args: ['sleep', 'infinity'],
    // Reading what has mode 000 takes DAC_OVERRIDE; DAC_READ_SEARCH would do, but "baseline" does not allow it.
    securityContext: {
      runAsUser: 0,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'], add: ['DAC_OVERRIDE'] },
    },
    volumeMounts: [{ name: 'data', mountPath: DATA.dir, readOnly: true }],
  };
  return object('v1', 'Pod', 'demo-verifier', {
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      containers: [container],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: DATA.claim } }],
    },
  });
}
