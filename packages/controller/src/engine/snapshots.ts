import { annotation, label } from '@dr-syncer/api';
import { groupVersionOf, type KubeObject, type Resource, type Transform } from '@dr-syncer/kube';

import { ownedFields } from './owned-fields.js';

/**
 * An object of the source as it is kept in memory: its text. Parsed, the same object takes three to five times the
 * room, and it is needed only at the moments when it has changed.
 */
export interface SourceEntry extends KubeObject {
  readonly raw: string;
}

/** What is kept of an object at the destination: enough to decide, none of its content. */
export interface StandbyEntry extends KubeObject {
  /** Hash of the desired state that was applied last; undefined: not stamped by us. */
  readonly hash: string | undefined;
  /** UID of the Replication that it says it belongs to. */
  readonly replication: string | undefined;
  /** `ownedFields`. */
  readonly owned: string;
  /** Since when its source is gone, as we marked it. */
  readonly goneSince: string | undefined;
  readonly isClaim: boolean;
}

export function parseSource(entry: SourceEntry): KubeObject {
  return JSON.parse(entry.raw) as KubeObject;
}

/** Annotation of kubectl: the object once more, of no use here. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

export function sourceTransform(resource: Resource, namespace: string | undefined): Transform<SourceEntry> {
  const apiVersion = groupVersionOf(resource);
  const { kind } = resource;
  return (object) => {
    delete object.metadata.managedFields;
    const { name, uid, resourceVersion, annotations } = object.metadata;
    if (annotations !== undefined) Reflect.deleteProperty(annotations, LAST_APPLIED);
    const raw = JSON.stringify({ ...object, apiVersion, kind });
    return {
      apiVersion,
      kind,
      metadata: { name, ...identity(namespace, object), ...optional({ uid, resourceVersion }) },
      raw,
    };
  };
}

/** Field sets repeat: ten thousand ConfigMaps made by one program have one between them. */
const MAX_INTERNED = 4096;

export function standbyTransform(
  resource: Resource,
  namespace: string | undefined,
  interned: Map<string, string> = new Map(),
): Transform<StandbyEntry> {
  const apiVersion = groupVersionOf(resource);
  const { kind } = resource;
  const isClaim = resource.group === '' && resource.plural === 'persistentvolumeclaims';
  const intern = (text: string): string => {
    const known = interned.get(text);
    if (known !== undefined) return known;
    if (interned.size >= MAX_INTERNED) interned.clear();
    interned.set(text, text);
    return text;
  };
  return (object) => {
    const { name, uid, resourceVersion, deletionTimestamp, annotations = {}, labels = {} } = object.metadata;
    const replication = labels[label.replication];
    return {
      apiVersion,
      kind,
      metadata: {
        name,
        ...identity(namespace, object),
        ...optional({ uid, resourceVersion, deletionTimestamp }),
      },
      hash: annotations[annotation.desiredHash],
      replication: replication === undefined ? undefined : intern(replication),
      owned: replication === undefined ? '' : intern(ownedFields(object.metadata.managedFields)),
      goneSince: annotations[annotation.sourceGone],
      isClaim,
    };
  };
}

/** One string for all objects of the namespace, where the parser has made one for each. */
function identity(namespace: string | undefined, { metadata }: KubeObject): { namespace?: string } {
  const own = namespace ?? metadata.namespace;
  return own === undefined ? {} : { namespace: own };
}

function optional<T extends Record<string, string | undefined>>(fields: T): { [K in keyof T]?: string } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: string };
}
