import { type AddressBlock, blockContains, parseAddress, parseBlock, wildcardText } from './ip-address.js';

/** One pattern of `from="..."`, sshd(8) "AUTHORIZED_KEYS FILE FORMAT" and ssh_config(5) "PATTERNS". */
export interface FromPattern {
  readonly negated: boolean;
  /** As written, without the `!`. */
  readonly text: string;
  /** An address or a CIDR block; absent: the text has wildcards. */
  readonly block?: AddressBlock;
}
export type FromPatterns = readonly FromPattern[];

const MAX_PATTERNS = 256;
const MAX_PATTERN_LENGTH = 256;

/**
 * Host names are refused: no name service is asked, and a negated name that never matches would let its host in.
 *
 * @throws TypeError that says which pattern is no address, CIDR block or wildcard over an address.
 */
export function parseFromPatterns(text: string): FromPatterns {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.length > MAX_PATTERNS) throw new TypeError(`from= has more than ${MAX_PATTERNS} patterns`);
  return parts.map(parsePattern);
}

function parsePattern(part: string): FromPattern {
  const negated = part.startsWith('!');
  const text = negated ? part.slice(1) : part;
  if (text === '' || text.length > MAX_PATTERN_LENGTH)
    throw new TypeError('from= has an empty or long pattern');
  const block = parseBlock(text);
  if (block) return { negated, text, block };
  if (/[*?]/.test(text) && /^[0-9A-Fa-f.:*?]+$/.test(text)) return { negated, text };
  const shown = text.slice(0, 64).replace(/[^\x20-\x7e]/g, '?');
  throw new TypeError(`from= pattern "${shown}" is no address, CIDR block or wildcard over an address`);
}

/** `address`: textual IPv4 or IPv6 (`::ffff:a.b.c.d` is the IPv4 address). A negated match wins. */
export function matchesFrom(patterns: FromPatterns, address: string): boolean {
  const bytes = parseAddress(address);
  if (!bytes) return false;
  const text = wildcardText(bytes);
  const matches = patterns.filter((pattern) =>
    pattern.block ? blockContains(pattern.block, bytes) : wildcardMatches(pattern.text, text),
  );
  return matches.length > 0 && matches.every((pattern) => !pattern.negated);
}

/** `*` any run, `?` one character. Linear in both lengths: no backtracking over more than one star. */
function wildcardMatches(pattern: string, text: string): boolean {
  const wanted = pattern.toLowerCase();
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (wanted[p] === '*') {
      star = p++;
      resume = t;
    } else if (p < wanted.length && (wanted[p] === '?' || wanted[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return /^\**$/.test(wanted.slice(p));
}
