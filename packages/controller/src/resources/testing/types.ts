import { type ApiResource, type KubeObject, splitApiVersion } from '@dr-syncer/kube';

/** Types whose short names matter to tests. */
const shortNames: Readonly<Record<string, readonly string[]>> = {
  ConfigMap: ['cm'],
  Deployment: ['deploy'],
  PersistentVolumeClaim: ['pvc'],
  HorizontalPodAutoscaler: ['hpa'],
  Ingress: ['ing'],
};

/** A served type as discovery would describe it. */
export function servedType(apiVersion: string, kind: string, fields: Partial<ApiResource> = {}): ApiResource {
  const singular = kind.toLowerCase();
  const plural = /(s|x|ch)$/.test(singular) ? `${singular}es` : singular.replace(/y$/, 'ie') + 's';
  return {
    ...splitApiVersion(apiVersion),
    ...{ kind, singular, plural: kind === 'Endpoints' ? 'endpoints' : plural, namespaced: true },
    shortNames: shortNames[kind] ?? [],
    verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
    subresources: [],
    ...fields,
  };
}

export function typeOf(object: KubeObject): ApiResource {
  return servedType(object.apiVersion, object.kind);
}
