import { z } from 'zod';

import { dnsLabel, timestamp } from './common.js';
import { labelSelector } from './label-selector.js';

const command = z.array(z.string().max(4096)).min(1).max(64);
const timeoutSeconds = z.int().min(1).max(3600);
export const hookErrorActions = ['Fail', 'Continue'] as const;

const hook = z.object({
  podSelector: labelSelector
    .optional()
    .describe(
      'Pods of the source namespace. Only those count that mount a volume that is copied. Default: all of them.',
    ),
  container: dnsLabel
    .optional()
    .describe(
      'Default: that of kubectl.kubernetes.io/default-container, else the first that mounts such a volume.',
    ),
  command: command.describe('Program and arguments. No shell is involved, unless it is the program.'),
  timeoutSeconds: timeoutSeconds.default(60).describe('After which the command counts as failed.'),
  onError: z
    .enum(hookErrorActions)
    .default('Fail')
    .describe(
      'Fail: the volumes of the pod are not copied when a pre hook fails, and the sync fails when a post hook does, which is run again until it succeeds. Continue: it is only reported.',
    ),
});

export const volumeHooks = z
  .object({
    pre: z
      .array(hook)
      .max(10)
      .optional()
      .describe('Before the volumes of a pod are copied, in this order: what brings its data to rest.'),
    post: z
      .array(hook)
      .max(10)
      .optional()
      .describe(
        'When they have been copied or could not be, in any case once a pre hook was begun: what undoes it.',
      ),
    firstPass: z
      .boolean()
      .default(true)
      .describe(
        'Volumes are copied once before the pre hooks and again after them, so that the application rests only while what changed meanwhile is copied.',
      ),
  })
  .describe(
    'Commands in pods of the workload around the copying of their volumes. The controller needs the right to exec there: ClusterRole dr-syncer-hooks.',
  );

const openHook = z.object({
  namespace: z.string(),
  pod: z.string(),
  podUid: z.string(),
  container: z.string(),
  command,
  timeoutSeconds,
  onError: z.enum(hookErrorActions),
  since: timestamp,
});

const hookResult = z.object({
  pod: z.string(),
  container: z.string(),
  when: z.enum(['Pre', 'Post']),
  result: z.string().describe('Succeeded, Failed, TimedOut, PodGone, NotPermitted or Unreachable.'),
  exitCode: z.int().optional(),
  message: z.string().optional().describe('What Kubernetes says. What the command wrote is never kept.'),
  time: timestamp,
  milliseconds: z.int(),
});

export const hooksStatus = z
  .object({
    open: z
      .array(openHook)
      .max(50)
      .optional()
      .describe('Post hooks that are owed, because their pre hooks were begun.'),
    results: z.array(hookResult).max(50).optional().describe('Of the last sync that had any.'),
  })
  .describe('Hooks around the copying of volumes.');

export type VolumeHooks = z.infer<typeof volumeHooks>;
export type HooksStatus = z.infer<typeof hooksStatus>;
export type OpenHook = z.infer<typeof openHook>;
export type HookResult = z.infer<typeof hookResult>;
