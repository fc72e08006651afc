import { createHash } from 'node:crypto';

import ssh2 from 'ssh2';

import type { KeyDecision, PresentedKey } from './key-ring.js';

/** `dr_syncer_ssh_auth_failures_total{reason}` and the audit log's `reason`, each with its meaning. */
export const authFailureTable = {
  WrongUser: 'The user name is not `drsyncer`.',
  MethodNotAllowed: 'A password or anything else but a public key.',
  KeyTypeRefused: 'The key is neither ed25519 nor RSA.',
  KeyTooShort: 'An RSA key of less than 3072 bits.',
  Sha1Signature: 'The client signs with RSA and SHA-1 (`ssh-rsa`).',
  UnknownKey: 'No line and no grant has the key.',
  Expired: 'The line has expired, or the key is of a grant that is closed or over.',
  Revoked: 'The key was revoked.',
  Retired: 'The key was replaced by a rotation, which is still being finished.',
  AddressNotAllowed: 'The `from=` of the line does not have the address.',
  SignatureInvalid: 'The client does not hold the private key.',
} as const satisfies Record<string, string>;

export type AuthFailure = keyof typeof authFailureTable;

/** A login message as ssh2 hands it over. `signature` is absent when the client only asks whether the key would do. */
export interface LoginMessage {
  readonly username: string;
  readonly method: string;
  readonly key?: { readonly algo: string; readonly data: Buffer };
  readonly signature?: Buffer | undefined;
  readonly blob?: Buffer | undefined;
  readonly hashAlgo?: string | undefined;
}

export type AcceptedKey = Extract<KeyDecision, { outcome: 'accepted' }>;

export type LoginVerdict =
  /** Every client begins with method `none` to hear what there is: refused, but no attempt. */
  | { readonly outcome: 'none' }
  | { readonly outcome: 'failed'; readonly reason: AuthFailure; readonly fingerprint?: string }
  /** The key would do; the client may sign with it. */
  | { readonly outcome: 'signatureWanted' }
  | { readonly outcome: 'accepted'; readonly match: AcceptedKey };

export interface LoginRules {
  readonly user: string;
  readonly address: string;
  readonly now: Date;
  readonly decide: (presented: PresentedKey) => KeyDecision;
}

const MIN_RSA_BITS = 3072;

/** Bits of the modulus of an `ssh-rsa` key in wire format (RFC 4253 6.6: string, mpint e, mpint n); 0: malformed. */
export function rsaBits(blob: Buffer): number {
  let offset = 0;
  let last: Buffer = Buffer.alloc(0);
  for (let i = 0; i < 3; i += 1) {
    if (offset + 4 > blob.length) return 0;
    const length = blob.readUInt32BE(offset);
    last = blob.subarray(offset + 4, offset + 4 + length);
    if (last.length !== length) return 0;
    offset += 4 + length;
  }
  const start = last.findIndex((byte) => byte !== 0);
  if (start < 0) return 0;
  return (last.length - start) * 8 - Math.clz32(last[start] ?? 0) + 24;
}

/** As ssh-keygen prints it; of anything at all, because this is before anybody has looked at it. */
function fingerprintOf(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

/** The key alone, before anybody is asked whether it is known. */
function keyProblem(
  key: { algo: string; data: Buffer },
  hashAlgo: string | undefined,
): AuthFailure | undefined {
  if (key.algo === 'ssh-ed25519') return undefined;
  if (key.algo !== 'ssh-rsa') return 'KeyTypeRefused';
  // ssh2 reports rsa-sha2-256 and -512 as ssh-rsa with a hash; ssh-rsa itself, which signs with SHA-1, has none.
  if (hashAlgo === undefined) return 'Sha1Signature';
  return rsaBits(key.data) < MIN_RSA_BITS ? 'KeyTooShort' : undefined;
}

/** ssh2 leaves this to us: to it, accepting a login message that carries any signature is a login. */
function signatureHolds(message: LoginMessage, key: Buffer, algo: string): boolean {
  if (message.signature === undefined || message.blob === undefined) return false;
  const parsed = ssh2.utils.parseKey(key);
  if (parsed instanceof Error || parsed.type !== algo) return false;
  // An Error, which ssh2 returns too although its types do not say so, is as good as false.
  const verified: unknown = parsed.verify(message.blob, message.signature, message.hashAlgo);
  return verified === true;
}

/** Judges one login message. Pure, but for what `decide` looks at. */
export function judgeLogin(message: LoginMessage, rules: LoginRules): LoginVerdict {
  if (message.username !== rules.user) return { outcome: 'failed', reason: 'WrongUser' };
  if (message.method === 'none') return { outcome: 'none' };
  if (message.method !== 'publickey' || message.key === undefined) {
    return { outcome: 'failed', reason: 'MethodNotAllowed' };
  }
  const { algo, data } = message.key;
  const fingerprint = fingerprintOf(data);
  const fail = (reason: AuthFailure) => ({ outcome: 'failed', reason, fingerprint }) as const;
  const problem = keyProblem(message.key, message.hashAlgo);
  if (problem !== undefined) return fail(problem);
  const match = rules.decide({ blob: data, address: rules.address, now: rules.now });
  if (match.outcome !== 'accepted') return fail(match.outcome);
  if (message.signature === undefined) return { outcome: 'signatureWanted' };
  return signatureHolds(message, data, algo) ? { outcome: 'accepted', match } : fail('SignatureInvalid');
}
