import type { KubeObject } from '@dr-syncer/kube';

import type { AuditedCall } from './audit-log.js';

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** One verb on one resource by one role: the smallest thing that could be taken away. */
export interface Permission {
  readonly role: string;
  /** Of the Role; undefined for a ClusterRole. */
  readonly namespace: string | undefined;
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
  readonly names: readonly string[] | undefined;
}

/** What the roles among these objects permit. */
export function permissionsOf(objects: readonly KubeObject[]): Permission[] {
  const roles = objects.filter(({ kind }) => kind === 'Role' || kind === 'ClusterRole');
  return roles.flatMap((role) => {
    const { name, namespace } = role.metadata;
    return (role['rules'] as Rule[]).flatMap(({ apiGroups, resources, verbs, resourceNames: names }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) =>
          verbs.map((verb) => ({ role: `${role.kind} ${name}`, namespace, group, resource, verb, names })),
        ),
      ),
    );
  });
}

export function describePermission({ role, verb, group, resource }: Permission): string {
  return `${role}: ${verb} ${group === '' ? resource : `${resource} of ${group}`}`;
}

/** As the RBAC authorizer decides. */
export function permits(permission: Permission, call: AuditedCall): boolean {
  const { namespace, group, resource, verb, names } = permission;
  return (
    (namespace === undefined || namespace === call.namespace) &&
    fits(group, call.group) &&
    fits(resource, call.resource) &&
    fits(verb, call.verb) &&
    (names === undefined || (call.name !== undefined && names.includes(call.name)))
  );
}

function fits(pattern: string, value: string): boolean {
  return pattern === '*' || pattern === value;
}

/**
 * Permissions that no call needed. One that a narrower one of the same set permits as well does not count as needed
 * for that call.
 */
export function unused(permissions: readonly Permission[], calls: readonly AuditedCall[]): Permission[] {
  const needed = new Set<Permission>();
  for (const call of calls) {
    const [narrowest] = permissions
      .filter((permission) => permits(permission, call))
      .sort((a, b) => breadth(a) - breadth(b));
    if (narrowest !== undefined) needed.add(narrowest);
  }
  return permissions.filter((permission) => !needed.has(permission));
}

function breadth({ namespace, group, resource, verb, names }: Permission): number {
  const stars = [group, resource, verb].filter((part) => part === '*').length;
  return stars * 4 + (namespace === undefined ? 2 : 0) + (names === undefined ? 1 : 0);
}
