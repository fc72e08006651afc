import { annotation } from '@dr-syncer/api';
import { isConflict, type KubeClient, type KubeObject, wellKnown } from '@dr-syncer/kube';
import { z } from 'zod';

import { FAILOVER_MANAGER } from './start.js';

const ATTEMPTS = 5;

/**
 * What the annotation `dr-syncer.io/active` of a destination namespace holds. It is there from the first step of a
 * failover on, so that nothing syncs into a namespace that is about to start, and it says how far the failover has come.
 */
const activationSchema = z.object({
  /** Returning: a failback is under way. Returned: its data is back, and the source may have been started. */
  phase: z.enum(['Starting', 'Active', 'Returning', 'Returned']),
  /** ISO 8601: when the failover was confirmed. */
  startedAt: z.string(),
  /** ISO 8601: when everything was up. */
  activeAt: z.string().optional(),
  /** ISO 8601: the state of the source that the standby had. */
  stateOf: z.string().optional(),
  /** ISO 8601: since when the source has all that was written here. */
  returnedAt: z.string().optional(),
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

/**
 * Writes the activation down, unless it says the same already; undefined: the namespace is a standby again.
 *
 * @throws KubeError
 */
export async function recordActivation(
  client: KubeClient,
  name: string,
  activation: Activation | undefined,
  signal: AbortSignal,
): Promise<void> {
  const ref = { resource: wellKnown.namespaces, name };
  const text = activation === undefined ? null : JSON.stringify(activation);
  for (let attempt = 1; ; attempt += 1) {
    const namespace = await client.get(ref, { signal });
    if ((namespace.metadata.annotations?.[annotation.active] ?? null) === text) return;
    const { resourceVersion } = namespace.metadata;
    const body = { metadata: { resourceVersion, annotations: { [annotation.active]: text } } };
    try {
      await client.patch(ref, body, 'merge', { fieldManager: FAILOVER_MANAGER, signal });
      return;
    } catch (err) {
      if (!isConflict(err) || attempt === ATTEMPTS) throw err;
    }
  }
}
