import { DrError } from '@dr-syncer/api';
import {
  type AuthorizedKeyOptions,
  type OptionProblemCode,
  OptionsRefused,
  optionsEnd,
  parseOptions,
} from './authorized-keys-options.js';
import { hasControlOtherThanTab } from './control-characters.js';
import { renderExpiryTime } from './expiry-time.js';
import { type ForcedCommand, renderForcedCommand } from './forced-command.js';
import { matchesFrom } from './from-patterns.js';
import {
  fingerprintOfBlob,
  isKeyTypeName,
  parsePublicLine,
  type PublicKey,
  PublicKeyRefused,
} from './public-key.js';

export interface AuthorizedKey extends Omit<PublicKey, 'bits'> {
  /** 1-based. */
  readonly line: number;
  /** `SHA256:...` as ssh-keygen prints it. */
  readonly fingerprint: string;
  readonly options: AuthorizedKeyOptions;
}

export type AuthorizedKeyProblemCode =
  OptionProblemCode | PublicKeyRefused['reason'] | 'Unreachable' | 'Expired' | 'TooLarge';

export interface AuthorizedKeyProblem {
  /** 1-based; 0: the file as a whole. */
  readonly line: number;
  readonly code: AuthorizedKeyProblemCode;
  /** Holds nothing of the line but names of options and patterns of `from=`. */
  readonly message: string;
}

export interface AuthorizedKeys {
  /** Usable lines, in the order of the file. */
  readonly keys: AuthorizedKey[];
  /** Lines that are not used, and lines that are but let nobody in (`Expired`, `Unreachable`). */
  readonly problems: AuthorizedKeyProblem[];
}

const MAX_TEXT = 4 * 1024 * 1024;
const MAX_LINE = 64 * 1024;
/** Each problem goes into a log line; a file of garbage must not flood it. */
const MAX_PROBLEMS = 1000;

/**
 * A file in OpenSSH's format. A line with anything that is not understood is left out and reported. `now` is only used
 * to report lines that have expired already. Never throws.
 */
export function parseAuthorizedKeys(text: string, now: Date = new Date()): AuthorizedKeys {
  if (text.length > MAX_TEXT) {
    return { keys: [], problems: [{ line: 0, code: 'TooLarge', message: 'the file is too large' }] };
  }
  const keys: AuthorizedKey[] = [];
  const problems: AuthorizedKeyProblem[] = [];
  /** By key: the first line that takes every login with it, so that none behind it is ever looked at. */
  const final = new Map<string, AuthorizedKey>();
  text.split('\n').forEach((raw, index) => {
    const key = readLine(raw, index + 1, problems);
    if (!key) return;
    const problem = reachProblem(key, final, now);
    if (problem) note(problems, problem);
    keys.push(key);
    if (!key.options.from && !key.options.expiresAt && !final.has(key.fingerprint)) {
      final.set(key.fingerprint, key);
    }
  });
  return { keys, problems };
}

function readLine(raw: string, line: number, problems: AuthorizedKeyProblem[]): AuthorizedKey | undefined {
  const text = raw.replace(/\r$/, '').replace(/^[ \t]+/, '');
  if (text === '' || text.startsWith('#')) return undefined;
  try {
    return parseLine(text, line);
  } catch (err) {
    if (err instanceof PublicKeyRefused) note(problems, { line, code: err.reason, message: err.message });
    else if (err instanceof OptionsRefused) note(problems, { line, code: err.code, message: err.message });
    else throw err;
    return undefined;
  }
}

function parseLine(text: string, line: number): AuthorizedKey {
  if (text.length > MAX_LINE) throw new OptionsRefused('Malformed', 'the line is too long');
  if (hasControlOtherThanTab(text)) {
    throw new OptionsRefused('Malformed', 'the line holds control characters');
  }
  const [firstWord = ''] = text.split(/[ \t]/, 1);
  const end = isKeyTypeName(firstWord) ? 0 : optionsEnd(text);
  // The key first: a line of another program's key type is best reported as that.
  const { type, blob, comment } = parsePublicLine(text.slice(end));
  const options = parseOptions(text.slice(0, end));
  return { line, type, blob, comment, fingerprint: fingerprintOfBlob(blob), options };
}

function reachProblem(
  key: AuthorizedKey,
  final: ReadonlyMap<string, AuthorizedKey>,
  now: Date,
): AuthorizedKeyProblem | undefined {
  const { line, options } = key;
  const earlier = final.get(key.fingerprint);
  if (earlier && earlier.options.commandText !== options.commandText) {
    const message = `the key is on line ${earlier.line} already, which is always used first`;
    return { line, code: 'Unreachable', message };
  }
  if (hasExpired(key, now)) return { line, code: 'Expired', message: 'the key has expired' };
  return undefined;
}

function note(problems: AuthorizedKeyProblem[], problem: AuthorizedKeyProblem): void {
  if (problems.length < MAX_PROBLEMS) problems.push(problem);
}

export type KeyMatch =
  | { readonly outcome: 'accepted'; readonly key: AuthorizedKey }
  /** No line has the key. */
  | { readonly outcome: 'UnknownKey' }
  /** The key is there, but each line of it has expired or is for other addresses; `key` is the last of them. */
  | { readonly outcome: 'Expired' | 'AddressNotAllowed'; readonly key: AuthorizedKey };

/**
 * The first line whose key, `from=` and `expiry-time=` all fit, as OpenSSH picks it. The caller still has to verify
 * the signature.
 */
export function matchAuthorizedKey(
  keys: readonly AuthorizedKey[],
  presented: { readonly blob: Buffer; readonly address: string; readonly now: Date },
): KeyMatch {
  let refused: KeyMatch = { outcome: 'UnknownKey' };
  for (const key of keys) {
    if (!key.blob.equals(presented.blob)) continue;
    const { from } = key.options;
    if (hasExpired(key, presented.now)) refused = { outcome: 'Expired', key };
    else if (from && !matchesFrom(from, presented.address)) refused = { outcome: 'AddressNotAllowed', key };
    else return { outcome: 'accepted', key };
  }
  return refused;
}

function hasExpired(key: AuthorizedKey, now: Date): boolean {
  return key.options.expiresAt !== undefined && now > key.options.expiresAt;
}

export interface AuthorizedKeySpec {
  /** `ssh-ed25519 AAAA... [comment]`. */
  readonly publicKey: string;
  readonly command: ForcedCommand;
  /** OpenSSH patterns; empty: any address. */
  readonly from: readonly string[];
  /** Written with a precision of one second, rounded down. */
  readonly expiresAt?: Date;
  /** Instead of the comment of the public key. */
  readonly comment?: string;
}

/**
 * One line (no newline) that `parseAuthorizedKeys` reads back as the same; `restrict` is always written.
 *
 * @throws DrError BadRequest when a part cannot be written as such a line.
 */
export function renderAuthorizedKey(spec: AuthorizedKeySpec): string {
  const [type = '', encoded = '', ...comment] = spec.publicKey.trim().split(/[ \t]+/);
  const options = [
    'restrict',
    ...(spec.from.length > 0 ? [option('from', spec.from.join(','))] : []),
    ...(spec.expiresAt ? [option('expiry-time', renderExpiryTime(spec.expiresAt))] : []),
    option('command', renderForcedCommand(spec.command)),
  ].join(',');
  const line = [options, type, encoded, spec.comment ?? comment.join(' ')].join(' ').trimEnd();
  const { keys, problems } = parseAuthorizedKeys(line, new Date(0));
  if (keys.length !== 1 || problems.length > 0) {
    const reason = problems[0]?.message ?? 'it is not one line';
    throw new DrError('BadRequest', `no authorized_keys line can be written for this key: ${reason}`);
  }
  return line;
}

function option(name: string, value: string): string {
  return `${name}="${value.replaceAll('"', '\\"')}"`;
}
