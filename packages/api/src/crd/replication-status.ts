import { z } from 'zod';

import { conditions, timestamp } from './common.js';
import { hooksStatus } from './hooks.js';

const failure = z.object({ name: z.string(), reason: z.string(), message: z.string() });

export const volumePhases = [
  'Pending',
  'Preparing',
  'Transferring',
  'SettingPermissions',
  'Verifying',
  'Succeeded',
  'Failed',
  'Skipped',
] as const;

const endIdentity = z.object({
  uid: z.int(),
  gid: z.int(),
  groups: z.array(z.int()).describe('Exactly these: nothing from /etc/group.'),
  capabilities: z.array(z.string()),
  umask: z.string(),
  fsGroup: z.int().optional(),
  fsGroupChangePolicy: z.string().optional(),
  seLinuxLabel: z.string().optional(),
  seLinuxChangePolicy: z.string().optional(),
  origins: z.record(z.string(), z.string()).describe('Where each value comes from.'),
});

const volumeIdentity = z
  .object({
    privileged: z.boolean(),
    reason: z.string().describe('Why it is privileged, or not.'),
    source: endIdentity.optional(),
    destination: endIdentity.optional(),
    idMap: z
      .object({ users: z.array(z.string()), groups: z.array(z.string()) })
      .optional()
      .describe('Ids that are others at the destination, as from:to.'),
    notes: z.array(z.string()).optional().describe('What was asked for or found and not taken, and why.'),
  })
  .describe('What the processes at both ends run as.');

const permissions = z
  .object({
    selinux: z.string().describe('What was done about labels, or why nothing was.'),
    scope: z.string().optional().describe('Which entries were looked at: None, Changed or All.'),
    reason: z.string().optional().describe('Why all were.'),
    seen: z.int(),
    groupsChanged: z.int(),
    modesChanged: z.int(),
    labelsChanged: z.int(),
    privilegesDropped: z.int().describe('setuid, setgid and file capabilities that could not be put back.'),
    linksRefused: z.int().describe('Left alone: files with links outside of the volume.'),
    otherMounts: z.int().describe('Left alone: file systems mounted inside the volume.'),
    vanished: z.int(),
    failed: z.int(),
    examples: z.array(z.string()).max(16).optional(),
    seconds: z.int(),
  })
  .describe('What was done to group, mode and label of what arrived, counted in entries.');

const verification = z
  .object({
    mode: z.string(),
    result: z.string().describe('Passed, Failed or NotChecked.'),
    message: z.string().optional(),
    checked: z.int().optional().describe('Entries that were compared.'),
    differences: z.array(z.string()).max(10).optional().describe('The first that differ.'),
    time: timestamp,
  })
  .describe('Whether the copy was found to be what the source is.');

const loss = z.object({ what: z.string(), description: z.string() });

export const volumeStatus = z.object({
  name: z.string().describe('The claim.'),
  phase: z.enum(volumePhases),
  reason: z.string().optional(),
  message: z.string().optional(),
  percent: z.int().min(0).max(100).optional(),
  bytesDone: z.int().optional().describe('Bytes of file data looked at so far.'),
  bytesTotal: z.int().optional(),
  bytesPerSecond: z.int().optional(),
  etaSeconds: z.int().optional(),
  literalBytes: z.int().optional().describe('Bytes of file data that really moved.'),
  filesTransferred: z.int().optional(),
  filesTotal: z.int().optional(),
  filesDeleted: z.int().optional(),
  attempt: z.int().optional().describe('Which attempt this is, when it is not the first.'),
  streams: z.int().optional().describe('Most rsyncs that were at work side by side; absent: one did all.'),
  failures: z
    .array(
      z.object({ path: z.string(), side: z.string(), problem: z.string(), needs: z.string().optional() }),
    )
    .max(10)
    .optional()
    .describe('The first files that could not be copied, and the permission that was missing.'),
  startedAt: timestamp.optional(),
  firstByteAt: timestamp.optional(),
  finishedAt: timestamp.optional(),
  lastSuccessTime: timestamp.optional(),
  sourceNode: z.string().optional(),
  destinationNode: z.string().optional(),
  identity: volumeIdentity.optional(),
  permissions: permissions.optional(),
  scope: z
    .string()
    .optional()
    .describe(
      'What the last transfer looked at: None (both ends are as the one before left them), Changed or All.',
    ),
  scopeReason: z.string().optional().describe('Why all.'),
  verification: verification.optional(),
  sourceChanges: z
    .int()
    .optional()
    .describe(
      'In reverseCheck: so many entries at most has the source made, changed or removed since the last sync; absent: not known.',
    ),
  losses: z
    .array(loss)
    .max(16)
    .optional()
    .describe('What of the files this identity cannot keep; an empty list: all is kept.'),
});

/** What is done with the volumes on request, besides syncs. */
const volumeRun = z.object({
  request: z.string().describe('Value of the annotation that asked for it.'),
  phase: z.enum(['Running', 'Completed', 'Failed']),
  reason: z.string().optional(),
  message: z.string().optional(),
  startedAt: timestamp,
  finishedAt: timestamp.optional(),
  volumes: z.array(volumeStatus).max(100),
});

export const replicationStatus = z.object({
  phase: z.enum(['Pending', 'Running', 'Completed', 'Failed', 'Paused']).optional(),
  observedGeneration: z.int().optional(),
  conditions: conditions.optional(),
  lastSyncRequest: z.string().optional().describe('Value of the sync-now annotation that was answered last.'),
  lastSyncTime: timestamp.optional().describe('End of the last sync, good or bad.'),
  lastSuccessTime: timestamp
    .optional()
    .describe('Start of the last sync that copied everything: the state the standby has.'),
  lastSyncDuration: z.string().optional(),
  lastRunTime: timestamp
    .optional()
    .describe('Start of the last sync with volumes, by which the next one is scheduled.'),
  lastRunGeneration: z.int().optional().describe('Generation of the spec that the last sync went by.'),
  objectsSyncedTime: timestamp
    .optional()
    .describe('Continuous: when every object of the standby was last known to be as it should be.'),
  nextSyncTime: timestamp.optional().describe('When the next sync is due.'),
  syncStats: z
    .object({
      total: z.int(),
      applied: z.int().describe('Objects that were written.'),
      unchanged: z.int(),
      failed: z.int(),
      skipped: z.int(),
      drifted: z.int().optional().describe('Objects that somebody else changed at the destination.'),
      kept: z.int().optional().describe('Objects at the destination whose source is gone or excluded.'),
      pruned: z.int().optional().describe('Objects that were removed.'),
    })
    .optional(),
  resourceStatus: z
    .array(
      z.object({
        kind: z.string(),
        synced: z.int(),
        failed: z.int(),
        drifted: z.int().optional(),
        failures: z.array(failure).max(5).optional().describe('The first failures by name.'),
      }),
    )
    .max(100)
    .optional(),
  prune: z
    .object({
      waiting: z.int().describe('Objects whose source is gone, in their grace period or held by the guard.'),
      token: z
        .string()
        .optional()
        .describe('The guard holds: as value of dr-syncer.io/confirm-prune it lets the objects go.'),
      names: z.array(z.string()).max(10).optional().describe('The first of those that are held.'),
    })
    .optional(),
  reverseSync: volumeRun
    .optional()
    .describe('The last time that data was taken back: the source of its volumes is the standby.'),
  reverseCheck: volumeRun
    .optional()
    .describe('The last time that it was looked whether data could be taken back; nothing was moved.'),
  drill: volumeRun
    .optional()
    .describe('The last time that the volumes of the standby were copied for a drill, inside the remote.'),
  hooks: hooksStatus.optional(),
  volumes: z.array(volumeStatus).max(100).optional(),
  volumesSummary: z.string().optional().describe('done/all, for the table.'),
});

export type ReplicationStatus = z.infer<typeof replicationStatus>;
export type VolumeRunStatus = z.infer<typeof volumeRun>;
export type VolumeStatus = z.infer<typeof volumeStatus>;
export type VolumeIdentity = z.infer<typeof volumeIdentity>;
export type EndIdentity = z.infer<typeof endIdentity>;
