import { DrError, type Identity, type Replication } from '@dr-syncer/api';
import {
  decidePrivilege,
  type PrivilegePolicy,
  refusalText,
  resolveIdentity,
  type WorkloadPod,
} from '@dr-syncer/identity';
import type { KubeObject } from '@dr-syncer/kube';

export interface TransferIdentities {
  readonly source: Identity;
  readonly destination: Identity;
  /** For people: where the user id comes from. */
  readonly origin: string;
}

export interface IdentityInput {
  readonly replication: Replication;
  readonly sourceNamespace: KubeObject;
  readonly destinationNamespace: KubeObject;
  /** Pods that mount the volume at the source. */
  readonly workloads: readonly WorkloadPod[];
  readonly policy: PrivilegePolicy;
}

/**
 * What the processes of a transfer run as at both ends, from the namespaces as they are now.
 *
 * @throws DrError IdentityRefused with each refused field
 */
export function transferIdentities(input: IdentityInput): TransferIdentities {
  const ends = { source: endOf(input.sourceNamespace), destination: endOf(input.destinationNamespace) };
  const privilege = decidePrivilege(ends.source, ends.destination, input.policy);
  const at = (side: 'source' | 'destination'): { identity: Identity; origin: string } => {
    const resolution = resolveIdentity({
      ...ends[side],
      side,
      moverSecurityContext: input.replication.spec.moverSecurityContext,
      workloads: input.workloads,
      privilege,
      devices: false,
      fileCapabilities: false,
    });
    if (resolution.ok)
      return { identity: resolution.identity, origin: resolution.origins.uid ?? privilege.reason };
    throw new DrError('IdentityRefused', `${side}: ${resolution.refusals.map(refusalText).join('; ')}`);
  };
  const source = at('source');
  const destination = at('destination');
  const origin = privilege.requested ? `${destination.origin}; ${privilege.reason}` : destination.origin;
  return { source: source.identity, destination: destination.identity, origin };
}

function endOf(namespace: KubeObject): { namespace: string; annotations: Record<string, string> } {
  return { namespace: namespace.metadata.name, annotations: namespace.metadata.annotations ?? {} };
}

/** `uid=0 gid=0 groups=0 caps=CHOWN,...`: for the status. */
export function identityText({ uid, gid, groups, capabilities }: Identity): string {
  const caps = capabilities.length === 0 ? 'none' : capabilities.join(',');
  return `uid=${uid} gid=${gid} groups=${groups.join(',')} capabilities=${caps}`;
}
