import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { KubeObject } from '@dr-syncer/kube';
import { parseAllDocuments } from 'yaml';

import type { Account } from './report.js';

const SYSTEM = 'dr-syncer-system';
export const CONTROLLER = `system:serviceaccount:${SYSTEM}:dr-syncer-controller`;
export const REMOTE = `system:serviceaccount:${SYSTEM}:dr-syncer-remote`;

/** What only a mishap asks for, which no test brings about for certain. */
export const mishaps = [
  // A placeholder pod of that name is there already; an object has changed under the controller's hands.
  'ClusterRole dr-syncer-controller: get pods',
  'ClusterRole dr-syncer-controller: get remoteclusters of dr-syncer.io',
  // Asked for by API servers from 1.35 on beside the "get" that is in their audit log.
  'ClusterRole dr-syncer-hooks: create pods/exec',
];

/** Both accounts of the product with the roles of the manifests that are theirs. @param manifests the folder */
export async function accounts(manifests: string): Promise<Account[]> {
  const rolesOf = async (file: string): Promise<Pick<Account, 'roles' | 'offered'>> =>
    sorted(
      parseAllDocuments(await readFile(join(manifests, file), 'utf8')).map(
        (document) => document.toJS() as KubeObject,
      ),
    );
  return [
    { user: CONTROLLER, ...(await rolesOf('source/rbac.yaml')), mishaps },
    { user: REMOTE, ...(await rolesOf('remote/rbac.yaml')), mishaps: [] },
  ];
}

/** One that no binding names is only offered, to be bound by whoever wants it. Pure. */
function sorted(objects: readonly KubeObject[]): Pick<Account, 'roles' | 'offered'> {
  const bound = objects.flatMap((object) => {
    const { kind, name } = (object['roleRef'] ?? {}) as { kind?: string; name?: string };
    return kind === undefined ? [] : [`${kind} ${name ?? ''}`];
  });
  const isBound = ({ kind, metadata }: KubeObject): boolean => bound.includes(`${kind} ${metadata.name}`);
  const roles = objects.filter(({ kind }) => kind === 'Role' || kind === 'ClusterRole');
  return { roles: roles.filter(isBound), offered: roles.filter((role) => !isBound(role)) };
}
