import type { KubeObject } from '@dr-syncer/kube';

/** One kind: an object as its user makes it in the source, and by hand what the destination's server is to answer. */
export interface KindCase {
  readonly title: string;
  readonly source: KubeObject;
  /** Written into the status subresource of the source. */
  readonly status?: object;
  /**
   * The whole object at the destination without what every object has: identity, our labels and annotations, and the
   * fields by which a server counts (uid, resourceVersion, generation, creationTimestamp, managedFields).
   */
  readonly expected: Expected;
}

export interface Expected {
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  /** Those of the destination's own server. */
  readonly finalizers?: readonly string[];
  readonly [field: string]: unknown;
}

/** Fields besides `metadata.name`; what is in `metadata` joins it. */
export function object(apiVersion: string, kind: string, name: string, fields: object = {}): KubeObject {
  const { metadata, ...rest } = fields as { metadata?: object };
  return { apiVersion, kind, metadata: { name, ...metadata }, ...rest };
}

/** The spec of the Replication under which all cases are brought over. */
export const replicationSpec = {
  destinationCluster: 'standby',
  destinationNamespace: 'shop-dr',
  includeHelmReleases: true,
  namespaceMapping: { db: 'db-dr' },
  pvcConfig: {
    storageClassMapping: { fast: 'standard' },
    accessModeMapping: { ReadWriteMany: 'ReadWriteOnce' },
  },
  imageConfig: {
    registryMapping: { 'quay.io': 'mirror.dr/quay', 'docker.io/library': 'mirror.dr/official' },
  },
  ingressConfig: {
    hostMappings: [
      { suffix: 'shop.example', replacement: 'shop.dr.example' },
      { pattern: '([a-z]+)\\.api\\.example', replacement: '$1.api-dr.example' },
    ],
    classMapping: { nginx: 'haproxy' },
  },
  transforms: [
    {
      name: 'region',
      selector: { kinds: ['cm'], names: 'settings' },
      jsonPatch: [{ op: 'replace', path: '/data/region', value: 'west' }],
    },
    {
      name: 'less-memory',
      selector: { kinds: ['Deployment'], labelSelector: { matchLabels: { size: 'large' } } },
      values: [
        {
          path: '/spec/template/spec/containers/*/resources/limits/memory',
          expression: "value == '4Gi' ? '1Gi' : string(value)",
        },
      ],
    },
    {
      name: 'issuer',
      selector: { kinds: ['certificates.cert-manager.io'] },
      mergePatch: { spec: { issuerRef: { name: 'dr-issuer' }, secretTemplate: null } },
    },
  ],
};

/** As the API server completes a pod's spec that has nothing but containers. */
export const podDefaults = {
  dnsPolicy: 'ClusterFirst',
  restartPolicy: 'Always',
  schedulerName: 'default-scheduler',
  securityContext: {},
  terminationGracePeriodSeconds: 30,
};

/** As the API server completes a container that has nothing but name and image (with a tag). */
export const containerDefaults = {
  imagePullPolicy: 'IfNotPresent',
  resources: {},
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
};
