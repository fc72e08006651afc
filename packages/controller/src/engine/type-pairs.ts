import type { ApiResource, Discovery } from '@dr-syncer/kube';

/** A type to copy, in a version that both ends serve. */
export interface TypePair {
  /** How it is read. The source converts, when its preferred version is not one that the remote has. */
  readonly source: ApiResource;
  /** How it is written: the same version. undefined: the remote does not have the type in any version of the source. */
  readonly standby: ApiResource | undefined;
}

/** `plural` or `plural.group`, the same whatever the version. */
export function pairKey({ source }: TypePair): string {
  return source.group === '' ? source.plural : `${source.plural}.${source.group}`;
}

/** @throws KubeError when a cluster can't say what it serves */
export async function pairTypes(
  types: readonly ApiResource[],
  source: Pick<Discovery, 'versionsOf'>,
  remote: Pick<Discovery, 'versionsOf'>,
  signal: AbortSignal,
): Promise<TypePair[]> {
  return Promise.all(
    types.map(async (type) => {
      const served = await remote.versionsOf(type, signal);
      const byVersion = new Map(served.map((one) => [one.version, one]));
      const preferred = byVersion.get(type.version);
      if (preferred !== undefined) return { source: type, standby: preferred };
      for (const other of await source.versionsOf(type, signal)) {
        const same = byVersion.get(other.version);
        if (same !== undefined) return { source: other, standby: same };
      }
      return { source: type, standby: undefined };
    }),
  );
}
