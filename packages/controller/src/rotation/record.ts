import { DrError } from '@dr-syncer/api';
import { z } from 'zod';

import { type Phase, phases } from './machine.js';

/** Why a rotation began. */
export const triggers = ['Annotation', 'Schedule'] as const;
export type Trigger = (typeof triggers)[number];

const schema = z.strictObject({
  phase: z.enum(phases),
  since: z.iso.datetime(),
  /** Of the rotation that goes on. */
  startedAt: z.iso.datetime().optional(),
  trigger: z.enum(triggers).optional(),
  /** Fingerprint of the current key (host keys: of the ed25519 one) when this was written. */
  current: z.string(),
});

/** How far a rotation has come: the `rotation` entry of the Secret whose keys it is about. No secret is in it. */
export interface RotationRecord {
  readonly phase: Phase;
  readonly since: Date;
  readonly startedAt?: Date;
  readonly trigger?: Trigger;
  readonly current: string;
}

/** @throws DrError KeyInvalid: what somebody else wrote there is not overwritten */
export function parseRecord(text: string, where: string): RotationRecord {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    throw new DrError('KeyInvalid', `${where}: the entry "rotation" cannot be read; remove it to begin anew`);
  }
  const { phase, since, startedAt, trigger, current } = parsed.data;
  return {
    ...{ phase, current, since: new Date(since) },
    ...(startedAt !== undefined && { startedAt: new Date(startedAt) }),
    ...(trigger !== undefined && { trigger }),
  };
}

export function renderRecord({ since, startedAt, ...rest }: RotationRecord): string {
  const times = { since: since.toISOString(), ...(startedAt && { startedAt: startedAt.toISOString() }) };
  return `${JSON.stringify({ ...rest, ...times })}\n`;
}

/** The record after a transition into a phase. */
export function advanced(
  before: RotationRecord,
  phase: Phase,
  current: string,
  now: Date,
  begun?: Trigger,
): RotationRecord {
  if (phase === 'Idle') return { phase, since: now, current };
  const startedAt = begun === undefined ? before.startedAt : now;
  const trigger = begun ?? before.trigger;
  return {
    ...{ phase, since: now, current },
    ...(startedAt !== undefined && { startedAt }),
    ...(trigger !== undefined && { trigger }),
  };
}
