import { DrError } from '@dr-syncer/api';
import { fingerprintSha256, parsePublicLine, type PrivateKey } from '@dr-syncer/ssh';

import type { KeySecret } from './client-keys.js';
import type { Transition } from './machine.js';
import { advanced, parseRecord, renderRecord, type RotationRecord, type Trigger } from './record.js';

/** Entries of the Secret, and names of the files in the agents. */
export const hostKeyFiles = ['ssh_host_ed25519_key', 'ssh_host_rsa_key'] as const;

/**
 * The public halves of the host keys of a cluster's agents, as the Secret in that cluster has them. The private halves
 * are made here, written there, and not read again: nobody but the agents has a use for them.
 */
export interface HostKeys {
  readonly record: RotationRecord;
  /** `ssh-ed25519 AAAA...` and `ssh-rsa AAAA...`, what agents show or will show when they have read their Secret. */
  readonly current: readonly string[];
  readonly createdAt: Date | undefined;
  readonly next?: readonly string[];
  readonly previous?: readonly string[];
  readonly interrupted?: string;
}

const RECORD = 'rotation';
const NEXT = 'next_';
const PREVIOUS = 'previous_';

/** @throws DrError KeyInvalid, naming the entry */
export function readHostKeys(secret: KeySecret): HostKeys {
  const where = `Secret ${secret.metadata.namespace ?? ''}/${secret.metadata.name}`;
  const current = publicLines(secret, '', where);
  if (current === undefined) {
    throw new DrError('KeyInvalid', `${where} lacks one of ${hostKeyFiles.join(', ')} (.pub)`);
  }
  const createdAt = madeAt(secret) ?? date(secret.metadata.creationTimestamp);
  const of = currentOf(current);
  const idle: RotationRecord = { phase: 'Idle', since: createdAt ?? new Date(0), current: of };
  const text = entry(secret, RECORD);
  const record = text === undefined ? idle : parseRecord(text, where);
  const next = publicLines(secret, NEXT, where);
  const previous = publicLines(secret, PREVIOUS, where);
  const interrupted = interruption(record, of, next, previous);
  if (interrupted !== undefined) return { record: idle, current, createdAt, interrupted };
  return {
    ...{ record, current, createdAt },
    ...(record.phase === 'Staged' && next && { next }),
    ...((record.phase === 'Switched' || record.phase === 'Retiring') && previous && { previous }),
  };
}

function interruption(
  { phase, current: recorded }: RotationRecord,
  current: string,
  next: readonly string[] | undefined,
  previous: readonly string[] | undefined,
): string | undefined {
  if (recorded !== current) return 'the host keys were replaced by somebody else';
  if (phase === 'Staged' && next === undefined) return 'the next host keys are gone';
  if ((phase === 'Switched' || phase === 'Retiring') && previous === undefined)
    return 'the previous host keys are gone';
  // They are only ever replaced in order.
  return phase === 'Revoking' ? 'host keys are not revoked' : undefined;
}

/** What has to be pinned by whoever connects, in this phase: both while agents may show either. */
export function pinsOf({ record, current, next, previous }: HostKeys): readonly string[] {
  if (record.phase === 'Staged') return [...current, ...(next ?? [])];
  if (record.phase === 'Switched') return [...current, ...(previous ?? [])];
  return current;
}

export interface HostKeyAdvance {
  readonly now: Date;
  readonly trigger: Trigger;
  /** Makes an ed25519 and an RSA key, in this order. */
  readonly fresh: () => Promise<readonly PrivateKey[]>;
}

/** Entries to change for a transition, null for those that go. */
export async function hostKeyEntries(
  secret: KeySecret,
  keys: HostKeys,
  transition: Transition,
  { now, trigger, fresh }: HostKeyAdvance,
): Promise<Record<string, string | null>> {
  const { record } = keys;
  const into = (phase: RotationRecord['phase'], current = keys.current, begun?: Trigger) => ({
    [RECORD]: base64(renderRecord(advanced(record, phase, currentOf(current), now, begun))),
  });
  switch (transition) {
    case 'stage': {
      const made = pairEntries(await fresh(), NEXT);
      return { ...none(PREVIOUS), ...made, ...into('Staged', keys.current, trigger) };
    }
    case 'switch':
      return {
        ...copy(
          secret,
          hostKeyFiles.map((file) => [`${file}.pub`, `${PREVIOUS}${file}.pub`]),
        ),
        ...copy(
          secret,
          bothHalves().map((name) => [`${NEXT}${name}`, name]),
        ),
        ...none(NEXT),
        ...into('Switched', keys.next ?? keys.current),
      };
    case 'retire':
      return into('Retiring');
    case 'finish':
      return { ...none(PREVIOUS), ...into('Idle') };
    case 'revoke':
    case 'contain':
    case 'clear':
      throw new Error(`host keys know no ${transition}`);
  }
}

/** Entries of a new Secret. */
export function newHostKeyEntries(keys: readonly PrivateKey[], now: Date): Record<string, string> {
  const ed25519 = keys[0]?.fingerprint ?? '';
  const record = renderRecord({ phase: 'Idle', since: now, current: ed25519 });
  return { ...pairEntries(keys, ''), [RECORD]: base64(record) };
}

function pairEntries(keys: readonly PrivateKey[], prefix: string): Record<string, string> {
  return Object.fromEntries(
    hostKeyFiles.flatMap((file, i) => {
      const key = keys[i];
      if (key === undefined) return [];
      return [
        [`${prefix}${file}`, base64(key.exportText())],
        [`${prefix}${file}.pub`, base64(`${key.publicLine}\n`)],
      ];
    }),
  );
}

function bothHalves(): string[] {
  return hostKeyFiles.flatMap((file) => [file, `${file}.pub`]);
}

function none(prefix: string): Record<string, null> {
  return Object.fromEntries(bothHalves().map((name) => [`${prefix}${name}`, null]));
}

function copy(secret: KeySecret, names: readonly (readonly [string, string])[]): Record<string, string> {
  return Object.fromEntries(names.map(([from, to]) => [to, secret.data?.[from] ?? '']));
}

/** Type and key of each file's public half; undefined when one is missing. @throws DrError KeyInvalid */
function publicLines(secret: KeySecret, prefix: string, where: string): readonly string[] | undefined {
  const lines = hostKeyFiles.map((file) => {
    const text = entry(secret, `${prefix}${file}.pub`);
    if (text === undefined) return undefined;
    try {
      const { type, blob } = parsePublicLine(text.trim());
      return `${type} ${blob.toString('base64')}`;
    } catch {
      throw new DrError('KeyInvalid', `${where}: "${prefix}${file}.pub" is not the line of a public key`);
    }
  });
  return lines.every((line) => line !== undefined) ? lines : undefined;
}

/** The fingerprint that stands for both. */
function currentOf(lines: readonly string[]): string {
  return fingerprintSha256(lines[0] ?? '');
}

function madeAt(secret: KeySecret): Date | undefined {
  return date(/ (\d{4}-\d\d-\d\dT[\d:.]+Z)\s*$/.exec(entry(secret, `${hostKeyFiles[0]}.pub`) ?? '')?.[1]);
}

function date(text: string | undefined): Date | undefined {
  const ms = Date.parse(text ?? '');
  return Number.isNaN(ms) ? undefined : new Date(ms);
}

function entry(secret: KeySecret, name: string): string | undefined {
  const value = secret.data?.[name];
  return value === undefined ? undefined : Buffer.from(value, 'base64').toString('utf8');
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
