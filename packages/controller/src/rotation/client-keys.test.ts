import { DrError } from '@dr-syncer/api';
import { generateHostKey, generateRsaKey, type PrivateKey } from '@dr-syncer/ssh';
import { beforeAll, describe, expect, test } from '@jest/globals';

import {
  advanceClientKeys,
  type ClientKeys,
  clientKeyEntries,
  readClientKeys,
  trustedBy,
} from './client-keys.js';
import type { KeySecret } from './client-keys.js';
import type { Transition } from './machine.js';

const made = '2026-01-01T00:00:00.000Z';
const now = new Date('2026-02-01T00:00:00Z');
const base64 = (text: string) => Buffer.from(text).toString('base64');

const secretOf = (data: Record<string, string>): KeySecret => ({
  ...{ apiVersion: 'v1', kind: 'Secret' },
  metadata: { name: 'k', namespace: 'n', creationTimestamp: '2026-01-15T00:00:00Z' },
  data: Object.fromEntries(Object.entries(data).map(([name, text]) => [name, base64(text)])),
});

describe("Given the Secret with the controller's key", () => {
  let keys: PrivateKey[];
  let ed25519: PrivateKey;
  let user: ClientKeys;
  beforeAll(async () => {
    keys = await Promise.all([1, 2, 3].map(() => generateRsaKey(3072, `dr-syncer n/r ${made}`)));
    ed25519 = await generateHostKey('ed25519');
    user = readClientKeys(secretOf({ id_rsa: text(0) }), 'of n/r');
  });
  const key = (index: number): PrivateKey => keys[index] as PrivateKey;
  const text = (index: number) => key(index).exportText();

  test('When a user has made it Then it is taken as it is, without the rest', () => {
    expect(user.current.fingerprint).toBe(key(0).fingerprint);
    expect(user.current.comment).toBe('of n/r');
    expect(user.createdAt).toEqual(new Date('2026-01-15T00:00:00Z'));
    expect(user.record.phase).toBe('Idle');
  });

  test('When it was made here Then its age is in the comment', () => {
    const own = readClientKeys(secretOf({ id_rsa: text(0), 'id_rsa.pub': key(0).publicLine }), '');
    expect(own.createdAt).toEqual(new Date(made));
  });

  test.each<[string, () => Record<string, string>, RegExp]>([
    ['has no key', () => ({}), /no entry "id_rsa"/],
    ['has garbage', () => ({ id_rsa: 'garbage-4711' }), /cannot be read/],
    ['has a key that is cut off', () => ({ id_rsa: text(0).slice(0, 800) }), /cannot be read/],
    ['has an ed25519 key', () => ({ id_rsa: ed25519.exportText() }), /not an RSA key/],
    [
      'has halves of two keys',
      () => ({ id_rsa: text(0), 'id_rsa.pub': key(1).publicLine }),
      /public half of another/,
    ],
    [
      'has a public half that is none',
      () => ({ id_rsa: text(0), 'id_rsa.pub': 'x' }),
      /line of a public key/,
    ],
    ['has a record that is none', () => ({ id_rsa: text(0), rotation: '{"phase":"Now"}' }), /"rotation"/],
  ])('When it %s Then that is said, and nothing of it is quoted', (_what, data, message) => {
    const read = () => readClientKeys(secretOf(data()), '');
    expect(read).toThrow(DrError);
    expect(read).toThrow(message);
    expect(read).not.toThrow(/garbage-4711|BEGIN/);
  });

  const after = async (from: ClientKeys, ...taken: Transition[]): Promise<ClientKeys> => {
    let [result, used] = [from, 0];
    for (const transition of taken) {
      const fresh = () => Promise.resolve(key((used += 1)));
      result = await advanceClientKeys(result, transition, { now, trigger: 'Annotation', fresh });
    }
    return result;
  };
  const written = (from: ClientKeys): KeySecret => {
    const entries = Object.entries(clientKeyEntries(from)).filter(([, value]) => value !== null);
    const secret = secretOf({});
    return { ...secret, data: Object.fromEntries(entries) as Record<string, string> };
  };

  test.each<[Transition[], string, number[], string[]]>([
    [[], 'Idle', [0], []],
    [['stage'], 'Staged', [0, 1], []],
    [['stage', 'switch'], 'Switched', [1, 0], []],
    [['stage', 'switch', 'retire'], 'Retiring', [1], ['retired 0']],
    [['stage', 'switch', 'retire', 'finish'], 'Idle', [1], []],
    [['revoke'], 'Revoking', [1], ['revoked 0']],
    [['revoke', 'contain'], 'Idle', [1], ['revoked 0']],
    [['revoke', 'contain', 'clear'], 'Idle', [1], []],
    [['stage', 'revoke'], 'Revoking', [2], ['revoked 0', 'revoked 1']],
    [['stage', 'switch', 'revoke'], 'Revoking', [2], ['revoked 0', 'revoked 1']],
    [['revoke', 'contain', 'stage'], 'Staged', [1, 2], ['revoked 0']],
  ])(
    'When %j was taken Then it is read back in phase %s, agents let in %j and are told %j',
    async (taken, phase, accepted, notices) => {
      const kept = readClientKeys(written(await after(user, ...taken)), 'of n/r');
      const name = (fingerprint: string) => keys.findIndex((one) => one.fingerprint === fingerprint);

      expect(kept.interrupted).toBeUndefined();
      expect(kept.record.phase).toBe(phase);
      const trusted = trustedBy(kept);
      expect(trusted.accepted.map(({ fingerprint }) => name(fingerprint))).toEqual(accepted);
      expect(trusted.notices.map(({ kind, fingerprint }) => `${kind} ${name(fingerprint)}`)).toEqual(notices);
    },
  );

  test.each<[string, Transition[], string]>([
    ['the next key', ['stage'], 'id_rsa.next'],
    ['the previous key', ['stage', 'switch'], 'id_rsa.previous'],
    ['the revoked key', ['revoke'], 'id_rsa.revoked-1'],
  ])(
    'When somebody takes %s away in the middle Then the current key stays alone',
    async (_what, taken, name) => {
      const secret = written(await after(user, ...taken));
      delete secret.data?.[name];

      const kept = readClientKeys(secret, '');

      expect(kept.record.phase).toBe('Idle');
      expect(kept.interrupted).toContain('is gone');
      expect(trustedBy(kept)).toEqual({ accepted: [kept.current], notices: [] });
    },
  );

  test('When somebody puts another key there in the middle Then that one counts', async () => {
    const secret = written(await after(user, 'stage'));
    Object.assign(secret.data ?? {}, { id_rsa: base64(text(2)), 'id_rsa.pub': base64(key(2).publicLine) });

    const kept = readClientKeys(secret, '');

    expect(kept.current.fingerprint).toBe(key(2).fingerprint);
    expect(kept.interrupted).toContain('somebody else');
    expect(trustedBy(kept).accepted).toHaveLength(1);
  });
});
