import {
  type AuthorizedKey,
  type AuthorizedKeyProblem,
  type AuthorizedKeys,
  matchAuthorizedKey,
  parseAuthorizedKeys,
} from '@dr-syncer/ssh';

/** What a client showed, and from where. */
export interface PresentedKey {
  readonly blob: Buffer;
  readonly address: string;
  readonly now: Date;
}

export type KeyDecision =
  | { readonly outcome: 'accepted'; readonly key: AuthorizedKey; readonly grant?: GrantTerms }
  | { readonly outcome: 'UnknownKey' | 'Expired' | 'AddressNotAllowed' };

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

const keyId = (blob: Buffer) => blob.toString('base64');

/**
 * All keys that may log in: the static file's, then the grants', and the first line that fits is the one. A grant's
 * key is never one that is here already, so each key has one meaning.
 */
export class KeyRing {
  #static: AuthorizedKeys = { keys: [], problems: [] };
  readonly #grants = new Map<string, GrantKey>();
  readonly #past = new Set<string>();

  /** Replaces the static keys as one. */
  setStatic(keys: AuthorizedKeys): void {
    this.#static = keys;
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

/** A static file that cannot be meant: not text, or lines of which not one is usable. An empty one is meant. */
export function readAuthorizedKeys(text: string, now: Date): AuthorizedKeys | { readonly broken: string } {
  if (text.includes('\0')) return { broken: 'the file is not text' };
  const parsed = parseAuthorizedKeys(text, now);
  const whole = parsed.problems.find((problem) => problem.line === 0);
  if (whole !== undefined) return { broken: whole.message };
  const bad = parsed.problems.find((problem) => problem.code !== 'Expired');
  if (parsed.keys.length === 0 && bad !== undefined) {
    return { broken: `no usable line; line ${bad.line}: ${bad.message}` };
  }
  return parsed;
}
