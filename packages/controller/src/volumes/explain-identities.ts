import type { Replication, VolumeIdentity, VolumeStatus } from '@dr-syncer/api';
import { type Discovery, isNotFound, type KubeClient, type KubeObject, wellKnown } from '@dr-syncer/kube';
import { type Refusal } from '@dr-syncer/identity';

import { decideIdentities, type End, type IdentityDecision, type MoverPolicy } from './identities.js';
import { identityStatus, lossesOf, lossesStatus } from './identity-status.js';
import { workloadsOfClaim } from './resting-workloads.js';
import { selectedClaims } from './selected-claims.js';

/** What the next transfer of a volume would run as, if it began now. */
export interface VolumeExplanation {
  readonly name: string;
  readonly identity: VolumeIdentity;
  /** Why it would not run; empty when it would. */
  readonly refusals: readonly (Refusal & { readonly end: End })[];
  /** What the copy would not have. */
  readonly losses: NonNullable<VolumeStatus['losses']>;
}

export interface ExplainOptions {
  readonly replication: Replication;
  readonly source: { readonly client: KubeClient; readonly discovery: Discovery };
  readonly sourceNamespace: string;
  readonly destination: KubeClient;
  readonly destinationNamespace: string;
  readonly policy: MoverPolicy;
}

/**
 * Decides for each volume as a sync would, and changes nothing.
 *
 * @throws KubeError
 */
export async function explainIdentities(
  options: ExplainOptions,
  signal: AbortSignal,
): Promise<VolumeExplanation[]> {
  const { replication, source, destination, policy } = options;
  const [sourceNamespace, destinationNamespace, claims] = await Promise.all([
    source.client.get({ resource: wellKnown.namespaces, name: options.sourceNamespace }, { signal }),
    namespaceOrNew(destination, options.destinationNamespace, signal),
    selectedClaims(source, options.sourceNamespace, replication.spec, signal),
  ]);
  return Promise.all(
    claims.map(async (name) => {
      const workloads = await workloadsOfClaim(source.client, options.sourceNamespace, name, signal);
      const ends = { replication, sourceNamespace, destinationNamespace, policy };
      return explained(name, decideIdentities({ ...ends, workloads }));
    }),
  );
}

/** One that is not there yet will be made without annotations. */
async function namespaceOrNew(
  client: KubeClient,
  name: string,
  signal: AbortSignal,
): Promise<Pick<KubeObject, 'metadata'>> {
  try {
    return await client.get({ resource: wellKnown.namespaces, name }, { signal });
  } catch (err) {
    if (!isNotFound(err)) throw err;
    return { metadata: { name } };
  }
}

function explained(name: string, decision: IdentityDecision): VolumeExplanation {
  const { source, destination } = decision;
  const refusals = (['source', 'destination'] as const).flatMap((end) => {
    const resolution = decision[end];
    return resolution.ok ? [] : resolution.refusals.map((refusal) => ({ end, ...refusal }));
  });
  // The modes of the root directories are not known before the volumes are mounted.
  const losses =
    source.ok && destination.ok
      ? lossesOf({ ...decision, destination: destination.identity }, { rootModesAgree: false })
      : [];
  return { name, identity: identityStatus(decision), refusals, losses: lossesStatus(losses) };
}
