import { z } from 'zod';

/**
 * Kubernetes ids are 0..2^31-1 (apimachinery's validation of user and group ids). 4294967295 means "no change" to
 * the kernel and must never get near a process launch.
 */
export const MAX_ID = 2_147_483_647;
export const unixId = z.number().int().min(0).max(MAX_ID);

/** The capabilities a mover process may ever be given. CAP_SYS_ADMIN is left out on purpose. */
export const moverCapabilities = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'MKNOD',
  'SETFCAP',
] as const;

/**
 * What a transfer's process runs as at one end. Groups are exact: nothing from /etc/group, nothing inherited
 * (KEP-3619 "Strict").
 */
export const identitySchema = z.strictObject({
  uid: unixId,
  gid: unixId,
  /** Sorted, unique, contains gid. */
  groups: z.array(unixId).max(64),
  capabilities: z.array(z.enum(moverCapabilities)),
  /** fsGroup to give to what was transferred; absent: none. */
  fsGroup: unixId.optional(),
  fsGroupChangePolicy: z.enum(['OnRootMismatch', 'Always']).optional(),
  /** `user:role:type:level` of files at the destination; absent: labels are left alone. */
  seLinuxLabel: z.string().max(512).optional(),
  seLinuxChangePolicy: z.enum(['MountOption', 'Recursive']).optional(),
  /** Octal digits, for example "0007". */
  umask: z.string().regex(/^0[0-7]{3}$/),
  privileged: z.boolean(),
});

export type Identity = z.infer<typeof identitySchema>;

const idPairs = z.array(z.tuple([unixId, unixId])).max(64);

/** Ids of the source, and what they become at the destination: `[from, to]`. Ids that are not named stay. */
export const idMapSchema = z.strictObject({ users: idPairs, groups: idPairs });

export type IdMap = z.infer<typeof idMapSchema>;

/** Where the values of an identity come from, by field: for people, in status and audit log. */
export const identityOriginsSchema = z.record(z.string().max(32), z.string().max(512));
