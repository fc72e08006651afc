import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

import type { KubeObject } from '@dr-syncer/kube';

import { type AuditedCall, auditedCalls, describeCall } from './audit-log.js';
import { describePermission, permissionsOf, permits, unused } from './rules.js';

/** An account whose roles are held against what it has asked for. */
export interface Account {
  readonly user: string;
  /** Its Roles and ClusterRoles. */
  readonly roles: readonly KubeObject[];
  /** Those that it has where somebody wants that: what they allow may be refused, and need not be used. */
  readonly offered: readonly KubeObject[];
  /** Permissions that only a mishap asks for, as `describePermission` names them. */
  readonly mishaps: readonly string[];
}

export interface Finding {
  readonly user: string;
  readonly kind: 'missing' | 'unused';
  readonly what: string;
}

/** Kinds of calls, so that a log of any length fits: what tells them apart for a rule, and nothing else. */
class Calls {
  readonly #seen = new Map<string, AuditedCall>();

  add(call: AuditedCall): void {
    const { user, verb, group, resource, namespace, name, code } = call;
    const outcome = code === 403 ? 'refused' : 'made';
    // Only rules about Secrets and namespaces name objects.
    const named =
      resource === 'secrets' || resource === 'namespaces' || resource.startsWith('serviceaccounts');
    this.#seen.set([user, verb, group, resource, namespace, named ? name : '', outcome].join(' '), call);
  }

  of(user: string): AuditedCall[] {
    return [...this.#seen.values()].filter((call) => call.user === user);
  }
}

/**
 * Reads audit logs and says what each account lacked, and what it was allowed and never did.
 *
 * @param since calls before are not counted (ISO 8601)
 * @throws when a log can't be read
 */
export async function rbacReport(
  logs: readonly string[],
  accounts: readonly Account[],
  since: string,
): Promise<Finding[]> {
  const calls = new Calls();
  const users = accounts.map(({ user }) => `"${user}"`);
  for (const log of logs) {
    for await (const line of createInterface({ input: createReadStream(log) })) {
      if (!users.some((user) => line.includes(user)) || timeOf(line) < since) continue;
      for (const call of auditedCalls(line)) calls.add(call);
    }
  }
  return accounts.flatMap((account) => findingsOf(account, calls.of(account.user)));
}

/** Pure. */
export function findingsOf(
  { user, roles, offered, mishaps }: Account,
  calls: readonly AuditedCall[],
): Finding[] {
  const permissions = permissionsOf(roles);
  const made = calls.filter(({ code }) => code !== 403);
  // A call that the roles allow was refused where a test had given the account other ones.
  const possible = [...permissions, ...permissionsOf(offered)];
  const refused = calls.filter((call) => call.code === 403 && !possible.some((one) => permits(one, call)));
  // Asked for by the API server itself, when a Role or a binding is written that grants more than the account has.
  const asked = permissions.filter(({ verb }) => verb !== 'escalate' && verb !== 'bind');
  const idle = unused(asked, made)
    .map(describePermission)
    .filter((one) => !mishaps.includes(one));
  return [
    ...[...new Set(refused.map(describeCall))].map((what) => ({ user, kind: 'missing' as const, what })),
    ...[...new Set(idle)].map((what) => ({ user, kind: 'unused' as const, what })),
  ];
}

function timeOf(line: string): string {
  return /"requestReceivedTimestamp":"([^"]+)"/.exec(line)?.[1] ?? '';
}
