import { z } from 'zod';

import { timestamp } from './common.js';

/** As Kubernetes writes durations, without fractions: `90m`, `2160h`, `1h30m`. */
const duration = z
  .string()
  .max(32)
  .regex(/^([0-9]{1,6}(h|m|s))+$/);

/** Milliseconds of such a duration. */
export function durationMs(text: string): number {
  const units = { h: 3_600_000, m: 60_000, s: 1_000 };
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)([hms])/g)) {
    ms += Number(count) * units[unit as keyof typeof units];
  }
  return ms;
}

function atLeast(least: string) {
  return {
    'x-kubernetes-validations': [
      { rule: `duration(self) >= duration('${least}')`, message: `must be ${least} or more` },
    ],
  };
}

export const keyRotation = z.object({
  interval: duration
    .meta(atLeast('1h'))
    .optional()
    .describe(
      "How old the controller's key and the agents' host keys get before they are replaced, such as 2160h; up to a tenth sooner, so that not all are replaced together. Default: only when asked for.",
    ),
  overlap: duration
    .default('2s')
    .describe('How long the previous key is accepted at least after the next is in use.'),
  waitForAllNodes: z
    .boolean()
    .default(true)
    .describe(
      'Whether agents that do not answer are waited for, until nodeDeadline. Those that answer always are.',
    ),
  nodeDeadline: duration
    .default('30m')
    .describe('How long, in each phase. A node that comes back later gets the keys from its Secret.'),
});

export const rotationPhases = ['Staged', 'Switched', 'Retiring', 'Revoking'] as const;

/** Of a rotation that goes on. */
export const rotationStatus = z.object({
  phase: z
    .enum(rotationPhases)
    .describe(
      'Staged: the next key is made known. Switched: it is in use, the previous one still accepted. Retiring: the previous one is being refused. Revoking: a revoked one is.',
    ),
  trigger: z.enum(['Annotation', 'Schedule']).optional(),
  startedAt: timestamp.optional(),
  next: z.string().optional().describe('Fingerprint of the key to come.'),
  previous: z.string().optional().describe('Fingerprint of the key that was replaced.'),
  waitingFor: z
    .array(z.string().max(253))
    .max(20)
    .optional()
    .describe('The first of the nodes that hold it up.'),
  problem: z.string().max(1024).optional().describe('Why it cannot go on.'),
});
export type RotationStatus = z.infer<typeof rotationStatus>;

export const sshKeyStatus = z.object({
  fingerprint: z.string().describe("SHA256 fingerprint of the controller's key."),
  createdAt: timestamp.optional(),
  dueAt: timestamp.optional().describe('When it is to be replaced.'),
  rotation: rotationStatus.optional(),
  revoked: z
    .object({
      fingerprints: z.array(z.string()).max(4),
      notConfirmedBy: z
        .array(z.string().max(253))
        .max(20)
        .describe('The first of the nodes that have not been seen to refuse them.'),
    })
    .optional()
    .describe('Keys that were revoked, until every agent refuses them.'),
});
export type SshKeyStatus = z.infer<typeof sshKeyStatus>;

export const hostKeyStatus = z.object({
  createdAt: timestamp.optional(),
  dueAt: timestamp.optional().describe('When they are to be replaced.'),
  rotation: rotationStatus.optional(),
});
export type HostKeyStatus = z.infer<typeof hostKeyStatus>;
