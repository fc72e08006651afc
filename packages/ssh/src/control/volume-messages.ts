import { z } from 'zod';

import { podUid, pvName } from './fields.js';

/**
 * A volume by the objects of the API server that stand for it. Only a PersistentVolume that is a path on its node has that
 * path as well, for it has no mount of its own: agents take it where their administrator has allowed a prefix of it.
 */
export const volumeRefSchema = z.strictObject({
  podUid,
  pvName,
  hostPath: z.string().startsWith('/').max(4096).optional(),
});
export type VolumeRef = z.infer<typeof volumeRefSchema>;

export const volumeInfoSchema = z.object({
  /** Where the agent sees the volume's root. */
  path: z.string(),
  fsType: z.string(),
  source: z.string(),
  readOnly: z.boolean(),
  /** File system supports per-file SELinux labels on this mount. */
  seclabel: z.boolean(),
  /** Context the file system is mounted with, when it is. */
  mountContext: z.string().optional(),
  /** Of the file system, which may be shared with others (a local directory). */
  capacityBytes: z.number(),
  usedBytes: z.number(),
  /** Nothing in it but lost+found. */
  empty: z.boolean(),
  /** Permission bits of the root directory, with setuid, setgid and sticky. */
  rootMode: z.number().int(),
  /** Inode number and time of birth of the root directory: not the same for another file system at the same place. */
  rootId: z.string(),
});
export type VolumeInfo = z.infer<typeof volumeInfoSchema>;
