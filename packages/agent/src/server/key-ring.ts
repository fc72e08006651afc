import {
  type AuthorizedKey,
  type AuthorizedKeyProblem,
  type AuthorizedKeys,
  fingerprintOfBlob,
  type KeyNotice,
  matchAuthorizedKey,
  parseAuthorizedKeys,
  parseKeyNotices,
} from '@dr-syncer/ssh';

/** What a client showed, and from where. */
export interface PresentedKey {
  readonly blob: Buffer;
  readonly address: string;
  readonly now: Date;
}

export type KeyDecision =
  | { readonly outcome: 'accepted'; readonly key: AuthorizedKey; readonly grant?: GrantTerms }
  | { readonly outcome: 'UnknownKey' | 'Expired' | 'AddressNotAllowed' | 'Retired' | 'Revoked' };

/** What a grant says beyond its line. */
export interface GrantTerms {
  readonly id: string;
  readonly allowDevices: boolean;
}

interface GrantKey {
  readonly terms: GrantTerms;
  readonly key: AuthorizedKey;
}

/** How many keys of past grants are remembered, to tell a replay from a stranger in the audit log. */
const REMEMBERED = 1024;

/** Keys revoked over the control channel that the file does not know of yet. */
const MAX_AHEAD = 256;

const keyId = (blob: Buffer) => blob.toString('base64');

/** What an authorized_keys file says: lines, and notices about keys that have none. */
export interface StaticKeys extends AuthorizedKeys {
  readonly notices: readonly KeyNotice[];
}

/**
 * All keys that may log in: the static file's, then the grants', and the first line that fits is the one. A grant's
 * key is never one that is here already, so each key has one meaning.
 */
export class KeyRing {
  readonly #onRevoked = new Set<(fingerprint: string) => void>();
  #static: StaticKeys = { keys: [], problems: [], notices: [] };
  /** By the file. */
  #revoked: ReadonlySet<string> = new Set();
  #retired: ReadonlySet<string> = new Set();
  /** Over the control channel, until the file says the same. */
  readonly #revokedAhead = new Set<string>();
  readonly #grants = new Map<string, GrantKey>();
  readonly #past = new Set<string>();

  /** Replaces the static keys as one. */
  setStatic(keys: StaticKeys): void {
    const before = this.#revoked;
    this.#static = keys;
    this.#revoked = ofKind(keys.notices, 'revoked');
    this.#retired = ofKind(keys.notices, 'retired');
    for (const fingerprint of this.#revokedAhead) {
      if (!keys.keys.some((key) => key.fingerprint === fingerprint)) this.#revokedAhead.delete(fingerprint);
    }
    for (const fingerprint of this.#revoked) if (!before.has(fingerprint)) this.#tell(fingerprint);
  }

  /**
   * Refuses a key from now on, until a file without it has been read.
   *
   * @throws RangeError when more are refused in this way than there can be
   */
  revoke(fingerprint: string): void {
    if (this.#revokedAhead.size >= MAX_AHEAD) throw new RangeError('too many keys are revoked');
    this.#revokedAhead.add(fingerprint);
    this.#tell(fingerprint);
  }

  /** Called for each key that has become a revoked one. */
  onRevoked(listener: (fingerprint: string) => void): void {
    this.#onRevoked.add(listener);
  }

  /** Whether the file lets the key in to the control protocol. */
  opensControl(fingerprint: string): boolean {
    const line = this.#static.keys.find((key) => key.fingerprint === fingerprint);
    return line?.options.command.kind === 'control' && !this.#isRevoked(fingerprint);
  }

  get problems(): readonly AuthorizedKeyProblem[] {
    return this.#static.problems;
  }

  has(blob: Buffer): boolean {
    return this.#grants.has(keyId(blob)) || this.#static.keys.some((key) => key.blob.equals(blob));
  }

  addGrant(terms: GrantTerms, key: AuthorizedKey): void {
    this.#past.delete(keyId(key.blob));
    this.#grants.set(keyId(key.blob), { terms, key });
  }

  removeGrant(key: AuthorizedKey): void {
    const id = keyId(key.blob);
    if (!this.#grants.delete(id)) return;
    this.#past.add(id);
    if (this.#past.size <= REMEMBERED) return;
    for (const oldest of this.#past) {
      this.#past.delete(oldest);
      break;
    }
  }

  decide(presented: PresentedKey): KeyDecision {
    const fingerprint = fingerprintOfBlob(presented.blob);
    if (this.#isRevoked(fingerprint)) return { outcome: 'Revoked' };
    const decision = this.#decide(presented);
    const isRetired = decision.outcome === 'UnknownKey' && this.#retired.has(fingerprint);
    return isRetired ? { outcome: 'Retired' } : decision;
  }

  #isRevoked(fingerprint: string): boolean {
    return this.#revoked.has(fingerprint) || this.#revokedAhead.has(fingerprint);
  }

  #tell(fingerprint: string): void {
    for (const listener of this.#onRevoked) listener(fingerprint);
  }

  #decide(presented: PresentedKey): KeyDecision {
    const known = matchAuthorizedKey(this.#static.keys, presented);
    if (known.outcome === 'accepted') return { outcome: 'accepted', key: known.key };
    const grant = this.#grants.get(keyId(presented.blob));
    if (grant === undefined) {
      if (known.outcome === 'UnknownKey' && this.#past.has(keyId(presented.blob)))
        return { outcome: 'Expired' };
      return { outcome: known.outcome };
    }
    const granted = matchAuthorizedKey([grant.key], presented);
    if (granted.outcome !== 'accepted') return { outcome: granted.outcome };
    return { outcome: 'accepted', key: grant.key, grant: grant.terms };
  }
}

function ofKind(notices: readonly KeyNotice[], kind: KeyNotice['kind']): Set<string> {
  return new Set(notices.filter((notice) => notice.kind === kind).map(({ fingerprint }) => fingerprint));
}

/** A static file that cannot be meant: not text, or lines of which not one is usable. An empty one is meant. */
export function readAuthorizedKeys(text: string, now: Date): StaticKeys | { readonly broken: string } {
  if (text.includes('\0')) return { broken: 'the file is not text' };
  const parsed = parseAuthorizedKeys(text, now);
  const whole = parsed.problems.find((problem) => problem.line === 0);
  if (whole !== undefined) return { broken: whole.message };
  const bad = parsed.problems.find((problem) => problem.code !== 'Expired');
  if (parsed.keys.length === 0 && bad !== undefined) {
    return { broken: `no usable line; line ${bad.line}: ${bad.message}` };
  }
  return { ...parsed, notices: parseKeyNotices(text) };
}
