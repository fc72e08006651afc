import { hasControlOtherThanTab } from './control-characters.js';
import { RequestRefused } from './refusals.js';

/**
 * Turns the text of an exec request into words without a shell. rsync's client protects what it sends for a remote
 * shell with backslashes before `! # $ & ; | < > ( ) { } " ' blank \` and, in option values, `* ? [ ]` (rsync 3.5
 * options.c, `safe_arg`). This undoes exactly that, and the two kinds of quotes that people write in forced commands.
 * What a shell would act upon without such protection is refused, never passed on.
 *
 * ssh2 decodes the request as UTF-8 with replacement characters; a request that holds one is refused, so a name that
 * is not UTF-8 can not turn into another name on its way.
 */

export interface TokenizerLimits {
  /** Of the whole text, in bytes of UTF-8. */
  readonly maxBytes: number;
  readonly maxWords: number;
}

export const defaultTokenizerLimits: TokenizerLimits = { maxBytes: 16 * 1024, maxWords: 128 };

/** What a shell takes as it stands. `~` only has a meaning for it at the start of a word. */
const PLAIN = /[^\s\\'"!#$&;|<>(){}`*?[\]]+/y;
const BLANKS = /[ \t]+/y;
const ESCAPED = /\\([\s\S])/y;
const SINGLE_QUOTED = /'([^']*)'/y;
const DOUBLE_QUOTED = /"((?:[^"\\$`!]|\\[\s\S])*)"/y;
/** U+FFFD, and halves of surrogate pairs. */
const NOT_TEXT = /[\ufffd\p{Surrogate}]/u;

/** @throws RequestRefused (`TooLong`, `ShellSyntax`, `Malformed`) */
export function tokenizeCommand(text: string, limits: TokenizerLimits = defaultTokenizerLimits): string[] {
  if (Buffer.byteLength(text) > limits.maxBytes) {
    throw new RequestRefused('TooLong', `the request is longer than ${limits.maxBytes} bytes`);
  }
  if (hasControlOtherThanTab(text) || NOT_TEXT.test(text)) {
    throw new RequestRefused('Malformed', 'the request holds control characters or is not UTF-8');
  }
  const words: string[] = [];
  let at = skipBlanks(text, 0);
  while (at < text.length) {
    if (words.length === limits.maxWords) {
      throw new RequestRefused('TooLong', `the request has more than ${limits.maxWords} words`);
    }
    const word = readWord(text, at);
    words.push(word.value);
    at = skipBlanks(text, word.end);
  }
  return words;
}

function readWord(text: string, start: number): { value: string; end: number } {
  if (text[start] === '~') throw shellSyntax('~');
  let value = '';
  let end = start;
  while (end < text.length && text[end] !== ' ' && text[end] !== '\t') {
    const part = readPart(text, end);
    value += part.value;
    end = part.end;
  }
  return { value, end };
}

function readPart(text: string, at: number): { value: string; end: number } {
  const plain = matchAt(PLAIN, text, at);
  if (plain) return { value: plain[0], end: PLAIN.lastIndex };
  const escaped = matchAt(ESCAPED, text, at);
  if (escaped) return { value: escaped[1] ?? '', end: ESCAPED.lastIndex };
  const single = matchAt(SINGLE_QUOTED, text, at);
  if (single) return { value: single[1] ?? '', end: SINGLE_QUOTED.lastIndex };
  const double = matchAt(DOUBLE_QUOTED, text, at);
  if (double) {
    return { value: (double[1] ?? '').replace(/\\(["\\$`])/g, '$1'), end: DOUBLE_QUOTED.lastIndex };
  }
  const char = text[at] ?? '';
  if (char === "'" || char === '"' || char === '\\') {
    throw new RequestRefused('Malformed', 'a quote or backslash of the request is not complete');
  }
  throw shellSyntax(char);
}

function shellSyntax(char: string): RequestRefused {
  return new RequestRefused('ShellSyntax', `the request holds ${char} without a backslash before it`);
}

function skipBlanks(text: string, at: number): number {
  return matchAt(BLANKS, text, at) ? BLANKS.lastIndex : at;
}

/** The expressions are sticky: they match at `at` or not at all. */
function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
