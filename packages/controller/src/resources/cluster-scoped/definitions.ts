import { annotation, API_GROUP, DrError, FIELD_MANAGER, label } from '@dr-syncer/api';
import {
  type ApiResource,
  type Discovery,
  isConflict,
  isForbidden,
  isNotFound,
  type KubeClient,
  type KubeObject,
  kubeToDrError,
  sleep,
  wellKnown,
} from '@dr-syncer/kube';

import { hashOf } from '../hash.js';
import { isRecord, records } from '../json.js';
import { mapNamespaces, type NamespaceMapping } from '../mapping/namespaces.js';
import { sanitize } from '../sanitize.js';

const crds = wellKnown.customResourceDefinitions;
/** How long a definition may take to be served. */
const ESTABLISH_MS = 30_000;
const POLL_MS = 200;

/** The definition as it should be in the remote: a pure function of the one in the source. */
export function desiredDefinition(source: KubeObject, namespaces: NamespaceMapping): KubeObject {
  const whole = { ...source, apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' };
  const object = sanitize(whole, { preserveNodePorts: false, preserveClusterIP: false });
  mapNamespaces(object, namespaces);
  const { labels, annotations } = object.metadata;
  const marked = {
    ...object,
    metadata: { ...object.metadata, labels: { ...labels, [label.managedBy]: FIELD_MANAGER } },
  };
  const hash = hashOf(marked);
  return {
    ...marked,
    metadata: { ...marked.metadata, annotations: { ...annotations, [annotation.desiredHash]: hash } },
  };
}

export type DefinitionDecision = 'create' | 'update' | 'leave';

/** One that somebody else has installed is left alone, whatever its versions: other applications rely on it. Pure. */
export function decideDefinition(present: KubeObject | undefined, desired: KubeObject): DefinitionDecision {
  if (present === undefined) return 'create';
  if (present.metadata.labels?.[label.managedBy] !== FIELD_MANAGER) return 'leave';
  const hash = desired.metadata.annotations?.[annotation.desiredHash];
  return present.metadata.annotations?.[annotation.desiredHash] === hash ? 'leave' : 'update';
}

/** Served, and with all its names. Pure. */
export function isEstablished(definition: KubeObject): boolean {
  const conditions = isRecord(definition['status']) ? records(definition['status']['conditions']) : [];
  const isTrue = (wanted: string) =>
    conditions.some(({ type, status }) => type === wanted && status === 'True');
  return isTrue('Established') && isTrue('NamesAccepted');
}

export interface DefinitionEnds {
  readonly source: KubeClient;
  readonly remote: KubeClient;
  readonly namespaces: NamespaceMapping;
}

export interface DefinitionPlan {
  readonly decision: DefinitionDecision;
  readonly desired: KubeObject;
}

/**
 * What is to be done about the definition of a custom type; undefined: none stands behind it.
 *
 * @throws KubeError
 */
export async function planDefinition(
  { source, remote, namespaces }: DefinitionEnds,
  type: ApiResource,
  signal: AbortSignal,
): Promise<DefinitionPlan | undefined> {
  const ref = { resource: crds, name: `${type.plural}.${type.group}` };
  const original = await source.find(ref, { signal });
  // Served by an API server of its own; there is nothing to copy.
  if (original === undefined) return undefined;
  const desired = desiredDefinition(original, namespaces);
  return { decision: decideDefinition(await remote.find(ref, { signal }), desired), desired };
}

/**
 * Has the definition of a custom type in the remote as in the source, and served.
 *
 * @returns whether something was written
 * @throws DrError; one that is not served in time is DefinitionNotReady
 */
export async function bringDefinition(
  ends: DefinitionEnds,
  type: ApiResource,
  signal: AbortSignal,
): Promise<boolean> {
  const { remote } = ends;
  const name = `${type.plural}.${type.group}`;
  try {
    const plan = await planDefinition(ends, type, signal);
    if (plan === undefined || plan.decision === 'leave') return false;
    const { decision, desired } = plan;
    await remote.apply(crds, desired, { fieldManager: FIELD_MANAGER, force: decision === 'update', signal });
    await untilEstablished(remote, name, signal);
    return true;
  } catch (err) {
    signal.throwIfAborted();
    if (isConflict(err)) {
      throw new DrError(
        'ForeignObject',
        `CustomResourceDefinition ${name} was made by somebody else a moment ago`,
      );
    }
    throw kubeToDrError(err);
  }
}

async function untilEstablished(remote: KubeClient, name: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + ESTABLISH_MS;
  for (;;) {
    const now = await remote.find({ resource: crds, name }, { signal });
    if (now !== undefined && isEstablished(now)) return;
    if (performance.now() > deadline) {
      throw new DrError(
        'DefinitionNotReady',
        `CustomResourceDefinition ${name} is not Established at the destination`,
      );
    }
    await sleep(POLL_MS, signal);
  }
}

/**
 * Waits until the remote serves the type. "Established" is the word of one controller of the API server; its discovery
 * and its handlers learn of the definition each a moment later, and until then objects of the type can't be written.
 *
 * @throws DrError DefinitionNotReady; KubeError
 */
export async function untilServed(
  { client, discovery }: { client: Pick<KubeClient, 'list'>; discovery: Served },
  type: ApiResource,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + ESTABLISH_MS;
  for (;;) {
    await discovery.refresh(signal);
    const [served] = await discovery.versionsOf(type, signal);
    if (served !== undefined && (await answers(client, served, signal))) return;
    if (performance.now() > deadline) {
      throw new DrError(
        'DefinitionNotReady',
        `the remote cluster does not serve ${type.plural}.${type.group} yet`,
      );
    }
    await sleep(POLL_MS, signal);
  }
}

type Served = Pick<Discovery, 'refresh' | 'versionsOf'>;

/** A namespace that is not there is as good as one that is: it has no objects. */
async function answers(
  client: Pick<KubeClient, 'list'>,
  type: ApiResource,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await client.list(type, { namespace: 'default', signal });
    return true;
  } catch (err) {
    if (isNotFound(err)) return false;
    // Rights are looked at before anything else, and this account may have them elsewhere only.
    if (isForbidden(err)) return true;
    throw err;
  }
}

/** Types that a CustomResourceDefinition may stand behind. Groups without a dot are of Kubernetes. */
export function mayBeCustom({ group }: ApiResource): boolean {
  return group.includes('.') && group !== API_GROUP && !builtInGroups.test(group);
}

const builtInGroups =
  /^(admissionregistration|apiextensions|apiregistration|authentication|authorization|certificates|coordination|discovery|events|flowcontrol\.apiserver|internal\.apiserver|networking|node|rbac\.authorization|resource|scheduling|storage|storagemigration)\.k8s\.io$/;
