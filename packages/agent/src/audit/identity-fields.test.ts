import { expect, test } from '@jest/globals';

import { identityFields } from './identity-fields.js';

test('Given an identity, Then the audit line has all of it, with where the values come from', () => {
  const fields = identityFields(
    {
      ...{ uid: 1000, gid: 2000, groups: [2000, 3000], capabilities: [], umask: '0000', privileged: false },
      ...{ fsGroup: 3000, seLinuxLabel: 'system_u:object_r:container_file_t:s0:c1,c2' },
    },
    { uid: 'spec.moverSecurityContext.runAsUser', gid: 'the fsGroup' },
  );

  expect(fields).toEqual({
    ...{ uid: 1000, gid: 2000, groups: '2000,3000', capabilities: '', umask: '0000', privileged: false },
    ...{ fs_group: 3000, selinux_label: 'system_u:object_r:container_file_t:s0:c1,c2' },
    identity_origins: 'uid: spec.moverSecurityContext.runAsUser; gid: the fsGroup',
  });
});
