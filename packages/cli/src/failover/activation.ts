import { annotation } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';
import { z } from 'zod';

/**
 * What the annotation `dr-syncer.io/active` of a destination namespace holds. It is there from the first step of a
 * failover on, so that nothing syncs into a namespace that is about to start, and it says how far the failover has come.
 */
const activationSchema = z.object({
  phase: z.enum(['Starting', 'Active']),
  /** ISO 8601: when the failover was confirmed. */
  startedAt: z.string(),
  /** ISO 8601: when everything was up. */
  activeAt: z.string().optional(),
  /** ISO 8601: the state of the source that the standby had. */
  stateOf: z.string().optional(),
});

export type Activation = z.infer<typeof activationSchema>;

/** `undefined`: the namespace is a standby. An activation that somebody else wrote counts as a finished one. */
export function activationOf(namespace: KubeObject): Activation | undefined {
  const text = namespace.metadata.annotations?.[annotation.active];
  if (text === undefined || text === '' || text === 'false') return undefined;
  const parsed = activationSchema.safeParse(jsonOf(text));
  return parsed.success ? parsed.data : { phase: 'Active', startedAt: 'an unknown time' };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
