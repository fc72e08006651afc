import { SYSTEM_NAMESPACE } from '@dr-syncer/api';
import { type KubeObject, wellKnown } from '@dr-syncer/kube';

import { eachCluster } from '../each-cluster.js';
import type { Check } from '../context.js';
import { type Finding, problem, well } from '../problems.js';

const ENFORCE = 'pod-security.kubernetes.io/enforce';

/** The namespace of the agents is there and takes their pods. */
export const podSecurity: Check = (context) =>
  eachCluster(context, 'pod security', async ({ title, client }) => {
    const ref = { resource: wellKnown.namespaces, name: SYSTEM_NAMESPACE };
    return [judgeNamespace(title, await client.find(ref, { signal: context.signal }))];
  });

/** Pure. */
export function judgeNamespace(cluster: string, namespace: KubeObject | undefined): Finding {
  const at = { check: 'pod security', subject: `${cluster}, namespace ${SYSTEM_NAMESPACE}` };
  if (namespace === undefined) return problem('SystemNamespaceMissing', at, 'it does not exist');
  const level = namespace.metadata.labels?.[ENFORCE];
  if (level === undefined) {
    // What the cluster's default is cannot be asked for; agents that are refused show in their own check.
    return well(at.check, at.subject, 'it has no level of its own: that of the cluster applies');
  }
  if (level === 'privileged') return well(at.check, at.subject, 'it takes the pods of the agents');
  return problem(
    'PodSecurityTooStrict',
    at,
    `${ENFORCE} is "${level}", which refuses the pods of the agents`,
  );
}
