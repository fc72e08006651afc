import { stringify } from 'yaml';

/** As whom the tooling itself talks to a cluster. */
export const toolingUser = 'dr-syncer-test-cluster';

/**
 * What API servers of the tests write to their audit log: every request, with its body where a body can't
 * hold anything secret. Left out is what the control plane says to itself all the time.
 */
export function auditPolicy(): string {
  const quiet = {
    level: 'None',
    users: [
      ...['system:apiserver', 'system:kube-controller-manager', 'system:kube-scheduler', 'system:kube-proxy'],
      toolingUser,
    ],
  };
  return stringify({
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [
      quiet,
      // Nodes, and the controller manager, which uses one ServiceAccount per controller.
      { level: 'None', userGroups: ['system:nodes', 'system:serviceaccounts:kube-system'] },
      { level: 'None', nonResourceURLs: ['/healthz*', '/livez*', '/readyz*', '/openapi*', '/version'] },
      {
        level: 'Metadata',
        resources: [
          { group: '', resources: ['secrets', 'configmaps', 'serviceaccounts/token'] },
          { group: 'authentication.k8s.io', resources: ['tokenreviews'] },
        ],
      },
      { level: 'Request', verbs: ['create', 'update', 'patch', 'delete', 'deletecollection'] },
      { level: 'Metadata' },
    ],
  });
}
