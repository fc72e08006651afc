import type { ReplicationSpec } from '@dr-syncer/api';
import type { Discovery, KubeClient } from '@dr-syncer/kube';

import { compileExclusion } from '../resources/exclusion.js';
import { selectTypes } from '../resources/selection.js';
import type { Claim } from './pods.js';

interface ClaimSource {
  readonly client: Pick<KubeClient, 'list'>;
  readonly discovery: Discovery;
}

/**
 * Names of the claims that a Replication selects in its source namespace.
 *
 * @throws KubeError
 */
export async function selectedClaims(
  source: ClaimSource,
  namespace: string,
  spec: ReplicationSpec,
  signal: AbortSignal,
): Promise<string[]> {
  const { types } = await selectTypes(source.discovery, spec, signal);
  const type = types.find((one) => one.kind === 'PersistentVolumeClaim' && one.group === '');
  if (type === undefined) return [];
  const claims = await source.client.list<Claim>(type, { namespace, signal });
  const excluded = compileExclusion(spec);
  return claims.items
    .filter((claim) => excluded({ ...claim, apiVersion: 'v1', kind: type.kind }, type) === undefined)
    .map((claim) => claim.metadata.name);
}

/** Those of them whose data is copied too: all, or none. @throws KubeError */
export async function claimsWithData(
  source: ClaimSource,
  namespace: string,
  spec: ReplicationSpec,
  signal: AbortSignal,
): Promise<string[]> {
  return spec.pvcConfig.includeData ? selectedClaims(source, namespace, spec, signal) : [];
}
