import type { KubeObject } from './kubectl.js';

/** A place where two objects are not the same; values as JSON, undefined: not there. */
export interface ObjectDifference {
  readonly path: string;
  readonly left: string | undefined;
  readonly right: string | undefined;
}

type Json = Readonly<Record<string, unknown>>;

/** Annotations that belong to one cluster: bookkeeping of kubectl, of controllers and of dr-syncer. */
const ownAnnotation =
  /^(dr-syncer\.io\/|kubectl\.kubernetes\.io\/|deployment\.kubernetes\.io\/|(pv|volume|volume\.beta)\.kubernetes\.io\/)/;
const ownLabel = /^dr-syncer\.io\//;

/**
 * What of an object has to be the same in both clusters: everything but what an API server or controller of one
 * cluster fills in, and the number of replicas, which a standby has on purpose.
 *
 * @param storageClasses class at the destination by class in the source
 */
export function normalise(object: KubeObject, storageClasses: Readonly<Record<string, string>>): Json {
  const { apiVersion, kind, metadata, spec, ...content } = object;
  const result: Record<string, unknown> = {
    // The secrets of a ServiceAccount are tokens, which each cluster makes.
    ...omit(content, 'status', 'secrets'),
    apiVersion,
    kind,
    metadata: {
      name: metadata.name,
      namespace: metadata.namespace,
      labels: without(metadata.labels, ownLabel),
      annotations: without(metadata.annotations, ownAnnotation),
    },
  };
  if (spec !== undefined) result['spec'] = normaliseSpec(kind, spec as Json, storageClasses);
  return result;
}

function without(map: Readonly<Record<string, string>> | undefined, own: RegExp): Json {
  return Object.fromEntries(Object.entries(map ?? {}).filter(([key]) => !own.test(key)));
}

function normaliseSpec(kind: string, spec: Json, storageClasses: Readonly<Record<string, string>>): Json {
  switch (kind) {
    case 'Service':
      return normaliseService(spec);
    case 'Deployment':
      return omit(spec, 'replicas');
    case 'StatefulSet': {
      const templates = spec['volumeClaimTemplates'] as readonly (Json & { readonly spec: Json })[];
      const claims = templates.map((each) => ({
        ...omit(each, 'status'),
        spec: mapClass(each.spec, storageClasses),
      }));
      return { ...omit(spec, 'replicas'), volumeClaimTemplates: claims };
    }
    case 'PersistentVolumeClaim':
      return mapClass(omit(spec, 'volumeName'), storageClasses);
    default:
      return spec;
  }
}

/** Addresses and node ports are given by each cluster; "None" is the user's own word. */
function normaliseService(spec: Json): Json {
  const ports = (spec['ports'] as readonly Json[]).map((port) => omit(port, 'nodePort'));
  const rest = omit(spec, 'clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'healthCheckNodePort');
  return { ...rest, ports, headless: spec['clusterIP'] === 'None' };
}

/** The source's class becomes the destination's; the destination's own stays. */
function mapClass(spec: Json, storageClasses: Readonly<Record<string, string>>): Json {
  const name = spec['storageClassName'];
  return typeof name === 'string' ? { ...spec, storageClassName: storageClasses[name] ?? name } : spec;
}

function omit(object: Json, ...keys: readonly string[]): Json {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));
}

/** All places where two values differ, as paths like `.spec.ports[0].port`. */
export function differencesOf(left: unknown, right: unknown, path = ''): ObjectDifference[] {
  if (Object.is(left, right)) return [];
  if (Array.isArray(left) && Array.isArray(right)) {
    const length = Math.max(left.length, right.length);
    return Array.from({ length }, (_, index) => index).flatMap((index) =>
      differencesOf(left[index], right[index], `${path}[${index}]`),
    );
  }
  if (isMap(left) && isMap(right)) {
    const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
    return [...keys].flatMap((key) => differencesOf(left[key], right[key], `${path}.${key}`));
  }
  return [{ path, left: JSON.stringify(left), right: JSON.stringify(right) }];
}

function isMap(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
