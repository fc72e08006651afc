import { replications } from '@dr-syncer/controller';
import { isNotFound, type KubeClient, type KubeObject } from '@dr-syncer/kube';

import { activation } from './checks/activation.js';
import { agents } from './checks/agents.js';
import { controllerPermissions, controllerRuns, leader } from './checks/controller.js';
import { conversations } from './checks/conversations.js';
import { definitions } from './checks/definitions.js';
import { podSecurity } from './checks/pod-security.js';
import { remoteAccess, remoteConditions } from './checks/remote-clusters.js';
import { replicationsInOrder } from './checks/replications.js';
import type { Check, DoctorContext } from './context.js';
import { notSeen } from './each-cluster.js';
import type { Finding } from './problems.js';

/** In the order in which a person would look; what fails early explains what fails later. */
const checks: readonly (readonly [name: string, check: Check])[] = [
  ['definitions', definitions],
  ['controller', controllerRuns],
  ['leader', leader],
  ['permissions', controllerPermissions],
  ['pod security', podSecurity],
  ['remote access', remoteAccess],
  ['remote cluster', remoteConditions],
  ['agents', agents],
  ['handshake', conversations],
  ['activation', activation],
  ['replications', replicationsInOrder],
];

/** Runs all checks, side by side. One that fails is a finding itself, and ends none of the others. */
export async function runChecks(context: DoctorContext): Promise<Finding[]> {
  const found = await Promise.all(
    checks.map(async ([name, check]) => {
      try {
        return await check(context);
      } catch (err) {
        context.signal.throwIfAborted();
        return [notSeen(name, 'source', err)];
      }
    }),
  );
  return found.flat();
}

/** None where the type is not served, which is a finding of its own. @throws KubeError */
export async function allReplications(client: KubeClient, signal: AbortSignal): Promise<KubeObject[]> {
  try {
    return (await client.list(replications, { signal })).items;
  } catch (err) {
    if (isNotFound(err)) return [];
    throw err;
  }
}
