import type { KubeClient } from '@dr-syncer/kube';
import { kubeToDrError } from '@dr-syncer/kube';

import type { DoctorContext } from './context.js';
import { type Finding, problem } from './problems.js';

export interface OneCluster {
  /** `source`, or `remote namespace/name`. */
  readonly title: string;
  readonly client: KubeClient;
}

/** Looks at the source and at each remote that can be reached. What a cluster does not let be seen is said. */
export async function eachCluster(
  { client, remotes, signal }: DoctorContext,
  check: string,
  look: (cluster: OneCluster) => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  const clusters: OneCluster[] = [
    { title: 'source', client },
    ...remotes.flatMap((one) =>
      one.client === undefined ? [] : [{ title: `remote ${one.key}`, client: one.client }],
    ),
  ];
  const found = await Promise.all(
    clusters.map(async (cluster) => {
      try {
        return await look(cluster);
      } catch (err) {
        signal.throwIfAborted();
        return [notSeen(check, cluster.title, err)];
      }
    }),
  );
  return found.flat();
}

export function notSeen(check: string, subject: string, err: unknown): Finding {
  const { code, message } = kubeToDrError(err);
  return problem('NotSeen', { check, subject }, `${message} (${code})`);
}
