import type { Identity } from '@dr-syncer/api';

import type { AuditFields } from './audit-log.js';

/** An identity as fields of the audit log; what it does not have is not there. */
export function identityFields(
  identity: Identity,
  origins: Readonly<Record<string, string>> = {},
): AuditFields {
  const { uid, gid, groups, capabilities, umask, privileged } = identity;
  const from = Object.entries(origins).map(([field, origin]) => `${field}: ${origin}`);
  return {
    ...{ uid, gid, umask, privileged },
    groups: groups.join(','),
    capabilities: capabilities.join(','),
    ...(identity.fsGroup !== undefined && { fs_group: identity.fsGroup }),
    ...(identity.seLinuxLabel !== undefined && { selinux_label: identity.seLinuxLabel }),
    ...(from.length > 0 && { identity_origins: from.join('; ') }),
  };
}
