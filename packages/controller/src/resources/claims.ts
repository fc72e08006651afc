import type { ReplicationSpec } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';

type ClaimMapping = Pick<ReplicationSpec['pvcConfig'], 'storageClassMapping' | 'accessModeMapping'>;

/** Applies the mappings to a claim, in place. "*" in the storage class mapping stands for all that are not named. */
export function mapClaim(claim: KubeObject, mapping: ClaimMapping): void {
  const spec = claim['spec'] as { storageClassName?: string; accessModes?: string[] } | undefined;
  if (spec === undefined) return;
  const { storageClassMapping: classes = {}, accessModeMapping: modes = {} } = mapping;
  if (spec.storageClassName !== undefined) {
    const mapped = classes[spec.storageClassName] ?? classes['*'];
    if (mapped !== undefined) spec.storageClassName = mapped;
  }
  if (spec.accessModes !== undefined) {
    spec.accessModes = [...new Set(spec.accessModes.map((mode) => modes[mode] ?? mode))];
  }
}
