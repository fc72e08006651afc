import { DrError } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';
import { type KeyNotice, parsePrivateKey, parsePublicLine, type PrivateKey } from '@dr-syncer/ssh';

import type { Transition } from './machine.js';
import { advanced, parseRecord, renderRecord, type RotationRecord, type Trigger } from './record.js';

/** The controller's keys for the agents of one cluster, as their Secret holds them. */
export interface ClientKeys {
  readonly record: RotationRecord;
  /** What logs in. */
  readonly current: PrivateKey;
  readonly createdAt: Date | undefined;
  /** Staged: what logs in after the switch. */
  readonly next?: PrivateKey;
  /** What logged in before the switch. */
  readonly previous?: PrivateKey;
  /** Revoked, and not yet refused by every agent. */
  readonly revoked: readonly PrivateKey[];
  /** Why the record was not followed: the Secret was changed by somebody else in the middle. */
  readonly interrupted?: string;
}

export interface KeySecret extends KubeObject {
  data?: Record<string, string>;
  immutable?: boolean;
}

/** Older ones are given up: they have no line anywhere. */
const MAX_REVOKED = 4;
const RECORD = 'rotation';
const revokedNames = Array.from({ length: MAX_REVOKED }, (_, i) => `id_rsa.revoked-${i + 1}`);
const pairNames = ['id_rsa', 'id_rsa.next', 'id_rsa.previous', ...revokedNames];

/**
 * Reads a Secret: one of ours, or one with a user's own key.
 *
 * @param comment for a key that brings none
 * @throws DrError KeyInvalid, naming the entry and never quoting it
 */
export function readClientKeys(secret: KeySecret, comment: string): ClientKeys {
  const where = `Secret ${secret.metadata.namespace ?? ''}/${secret.metadata.name}`;
  const entry = (name: string) => decoded(secret, name);
  const text = entry('id_rsa');
  if (text === undefined) throw new DrError('KeyInvalid', `${where} has no entry "id_rsa"`);
  const current = readPair(`${where}, entry "id_rsa"`, text, entry('id_rsa.pub'), comment);
  const createdAt = madeAt(current) ?? date(secret.metadata.creationTimestamp);
  const recordText = entry(RECORD);
  const idle = { phase: 'Idle', since: createdAt ?? new Date(0), current: current.fingerprint } as const;
  const record = recordText === undefined ? idle : parseRecord(recordText, where);
  const extra = (name: string) => readExtra(entry(name), entry(`${name}.pub`));
  const [next, previous] = [extra('id_rsa.next'), extra('id_rsa.previous')];
  const revoked = revokedNames.map(extra).filter((key) => key !== undefined);
  const keys = { current, createdAt, revoked };
  const interrupted = interruption(record, current, next, previous, revoked);
  if (interrupted !== undefined) return { ...keys, record: idle, interrupted };
  const [staged, replaced] = [record.phase === 'Staged', ['Switched', 'Retiring'].includes(record.phase)];
  return { ...keys, record, ...(staged && next && { next }), ...(replaced && previous && { previous }) };
}

function interruption(
  { phase, current: recorded }: RotationRecord,
  current: PrivateKey,
  next: PrivateKey | undefined,
  previous: PrivateKey | undefined,
  revoked: readonly PrivateKey[],
): string | undefined {
  if (recorded !== current.fingerprint) return 'id_rsa was replaced by somebody else';
  if (phase === 'Staged' && next === undefined) return 'the next key is gone';
  if ((phase === 'Switched' || phase === 'Retiring') && previous === undefined)
    return 'the previous key is gone';
  if (phase === 'Revoking' && revoked.length === 0) return 'the revoked key is gone';
  return undefined;
}

/** @throws DrError KeyInvalid */
function readPair(where: string, text: string, publicText: string | undefined, comment: string): PrivateKey {
  const written = publicText === undefined ? undefined : publicHalf(where, publicText);
  const key = parsePrivateKey(text, written?.comment ?? comment);
  if (key.type !== 'ssh-rsa') throw new DrError('KeyInvalid', `${where} is not an RSA key`);
  if (written !== undefined && !written.blob.equals(key.blob)) {
    throw new DrError('KeyInvalid', `${where}: "id_rsa.pub" is the public half of another key`);
  }
  return key;
}

function publicHalf(where: string, text: string): { blob: Buffer; comment: string } {
  try {
    return parsePublicLine(text.trim());
  } catch {
    throw new DrError('KeyInvalid', `${where}: "id_rsa.pub" is not the line of a public key`);
  }
}

/** Keys of ours alone: one that is broken is none. */
function readExtra(text: string | undefined, publicText: string | undefined): PrivateKey | undefined {
  if (text === undefined) return undefined;
  try {
    return readPair('', text, publicText, '');
  } catch {
    return undefined;
  }
}

/** The time in the comment of a key that was made here. */
function madeAt(key: PrivateKey): Date | undefined {
  return date(/ (\d{4}-\d\d-\d\dT[\d:.]+Z)$/.exec(key.comment)?.[1]);
}

function date(text: string | undefined): Date | undefined {
  const ms = Date.parse(text ?? '');
  return Number.isNaN(ms) ? undefined : new Date(ms);
}

export interface Advance {
  readonly now: Date;
  readonly trigger: Trigger;
  /** Makes a key, for the transitions that need a new one. */
  readonly fresh: () => Promise<PrivateKey>;
}

/** The keys after a transition. Nothing is written here. */
export async function advanceClientKeys(
  keys: ClientKeys,
  transition: Transition,
  { now, trigger, fresh }: Advance,
): Promise<ClientKeys> {
  const { record, current, createdAt, next, previous, revoked } = keys;
  const same = { current, createdAt, revoked };
  const into = (phase: RotationRecord['phase'], key = current, begun?: Trigger) =>
    advanced(record, phase, key.fingerprint, now, begun);
  switch (transition) {
    case 'stage':
      return { ...same, next: await fresh(), record: into('Staged', current, trigger) };
    case 'switch':
      if (next === undefined) throw new Error('there is no next key');
      return {
        ...{ current: next, createdAt: madeAt(next), previous: current, revoked },
        record: into('Switched', next),
      };
    case 'retire':
      return { ...same, ...(previous && { previous }), record: into('Retiring') };
    case 'finish':
    case 'contain':
      return { ...same, record: into('Idle') };
    case 'revoke': {
      const key = await fresh();
      // Whoever could read the current key could read those beside it.
      const gone = [...revoked, ...(previous ? [previous] : []), current, ...(next ? [next] : [])];
      const kept = gone.slice(-MAX_REVOKED);
      return {
        ...{ current: key, createdAt: madeAt(key), revoked: kept },
        record: into('Revoking', key, trigger),
      };
    }
    case 'clear':
      return { ...same, revoked: [], record: into('Idle') };
  }
}

/** Entries of the Secret, null for those that go. Entries with other names are nobody's business here. */
export function clientKeyEntries(keys: ClientKeys): Record<string, string | null> {
  const { record, current, next, previous, revoked } = keys;
  const named: [string, PrivateKey | undefined][] = [
    ['id_rsa', current],
    ['id_rsa.next', next],
    ['id_rsa.previous', previous],
    ...revokedNames.map((name, i): [string, PrivateKey | undefined] => [name, revoked[i]]),
  ];
  const entries: Record<string, string | null> = Object.fromEntries(
    pairNames.flatMap((name) => [
      [name, null],
      [`${name}.pub`, null],
    ]),
  );
  for (const [name, key] of named) {
    if (key === undefined) continue;
    entries[name] = base64(key.exportText());
    entries[`${name}.pub`] = base64(`${key.publicLine}\n`);
  }
  entries[RECORD] = base64(renderRecord(record));
  return entries;
}

/** What the agents have to be told of these keys, in this phase. */
export function trustedBy(keys: ClientKeys): {
  readonly accepted: readonly PrivateKey[];
  readonly notices: readonly KeyNotice[];
} {
  const { record, current, next, previous, revoked } = keys;
  const overlap = record.phase === 'Switched' && previous !== undefined ? [previous] : [];
  const retired = record.phase === 'Retiring' && previous !== undefined ? [previous] : [];
  return {
    accepted: [current, ...(next === undefined ? [] : [next]), ...overlap],
    notices: [
      ...retired.map(({ fingerprint }) => ({ kind: 'retired', fingerprint }) as const),
      ...revoked.map(({ fingerprint }) => ({ kind: 'revoked', fingerprint }) as const),
    ],
  };
}

function decoded(secret: KeySecret, name: string): string | undefined {
  const value = secret.data?.[name];
  return value === undefined ? undefined : Buffer.from(value, 'base64').toString('utf8');
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
