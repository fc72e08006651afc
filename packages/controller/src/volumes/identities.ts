import { DrError, type Identity, type IdMap, type Replication } from '@dr-syncer/api';
import {
  decidePrivilege,
  namespaceIdMap,
  type PrivilegeDecision,
  type PrivilegePolicy,
  refusalText,
  resolveIdentity,
  type Resolution,
  workloadIds,
  type WorkloadPod,
} from '@dr-syncer/identity';
import type { KubeObject } from '@dr-syncer/kube';

/** What the administrator of the controller allows movers. */
export interface MoverPolicy extends PrivilegePolicy {
  /** What privileged movers may copy when a Replication asks for it. */
  readonly preserve: Preserve;
}

export type Preserve = Replication['spec']['pvcConfig']['preserve'];

export interface IdentityInput {
  readonly replication: Pick<Replication, 'spec'>;
  readonly sourceNamespace: Pick<KubeObject, 'metadata'>;
  readonly destinationNamespace: Pick<KubeObject, 'metadata'>;
  /** Pods that mount the volume at the source. */
  readonly workloads: readonly WorkloadPod[];
  readonly policy: MoverPolicy;
}

/** What the processes of a transfer are to run as at both ends, or why they are not. */
export interface IdentityDecision {
  readonly privilege: PrivilegeDecision;
  readonly source: Resolution;
  readonly destination: Resolution;
  readonly idMap: IdMap;
  /** Asked for, allowed and possible. */
  readonly preserve: Preserve;
  /** What was asked for or found and not taken, and why: each once, though both ends may say it. */
  readonly notes: readonly string[];
}

/** A decision without refusals. */
export interface TransferIdentities {
  readonly privilege: PrivilegeDecision;
  readonly source: Identity;
  readonly destination: Identity;
  /** Where each value comes from. */
  readonly origins: { readonly source: Origins; readonly destination: Origins };
  readonly idMap: IdMap;
  readonly preserve: Preserve;
  readonly notes: readonly string[];
}

export type Origins = Readonly<Record<string, string>>;
export type End = 'source' | 'destination';

const noMap: IdMap = { users: [], groups: [] };

/** From the namespaces as they are now. Pure: the same input gives the same answer. */
export function decideIdentities(input: IdentityInput): IdentityDecision {
  const { replication, workloads, policy } = input;
  const ends = { source: endOf(input.sourceNamespace), destination: endOf(input.destinationNamespace) };
  const privilege = decidePrivilege(ends.source, ends.destination, policy);
  const asked = replication.spec.pvcConfig.preserve;
  const allowed = {
    devices: asked.devices && policy.preserve.devices,
    fileCapabilities: asked.fileCapabilities && policy.preserve.fileCapabilities,
  };
  const at = (side: End): Resolution =>
    resolveIdentity({
      ...ends[side],
      side,
      moverSecurityContext: replication.spec.moverSecurityContext,
      workloads,
      privilege,
      ...allowed,
    });
  const [source, destination] = [at('source'), at('destination')];
  const { privileged } = privilege;
  const idMap = privileged
    ? namespaceIdMap(ends.source.annotations, ends.destination.annotations, workloadIds(workloads))
    : noMap;
  const notes = [
    ...[source, destination].flatMap((one) => (one.ok ? one.notes : [])),
    ...forbidden('devices', 'device nodes', asked, policy),
    ...forbidden('fileCapabilities', 'file capabilities', asked, policy),
  ];
  return {
    ...{ privilege, source, destination, idMap },
    preserve: {
      devices: privileged && allowed.devices,
      fileCapabilities: privileged && allowed.fileCapabilities,
    },
    notes: [...new Set(notes)],
  };
}

function forbidden(what: keyof Preserve, name: string, asked: Preserve, { preserve }: MoverPolicy): string[] {
  if (!asked[what] || preserve[what]) return [];
  return [`${name} are not copied: the settings of the controller do not allow it`];
}

/** @throws DrError IdentityRefused with each refused field */
export function requireIdentities(decision: IdentityDecision): TransferIdentities {
  const { privilege, source, destination, idMap, preserve, notes } = decision;
  if (source.ok && destination.ok) {
    return {
      ...{ privilege, idMap, preserve, notes },
      source: source.identity,
      destination: destination.identity,
      origins: { source: source.origins, destination: destination.origins },
    };
  }
  throw new DrError('IdentityRefused', refusalsText(decision));
}

/** All refusals of both ends; those that both ends have are said once. */
export function refusalsText({ privilege, source, destination }: IdentityDecision): string {
  const texts = (one: Resolution): string[] => (one.ok ? [] : one.refusals.map(refusalText));
  const [left, right] = [texts(source), texts(destination)];
  const parts = [
    ...left.map((text) => `${right.includes(text) ? 'both ends' : 'source'}: ${text}`),
    ...right.filter((text) => !left.includes(text)).map((text) => `destination: ${text}`),
    ...(privilege.privileged ? [] : [`Unprivileged, since ${privilege.reason}`]),
  ];
  return parts.join(' ');
}

function endOf(namespace: Pick<KubeObject, 'metadata'>): {
  namespace: string;
  annotations: Record<string, string>;
  labels: Record<string, string>;
} {
  const { name, annotations = {}, labels = {} } = namespace.metadata;
  return { namespace: name, annotations, labels };
}
