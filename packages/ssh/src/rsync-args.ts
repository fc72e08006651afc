import { hasControlCharacter } from './control-characters.js';
import type { Direction } from './forced-command.js';
import { RequestRefused } from './refusals.js';
import {
  type Gate,
  type LongOption,
  type Side,
  longOptions,
  MAX_CLUSTER,
  numericShort,
  shortOptions,
} from './rsync-options.js';

/** What one key lets its holder ask of rsync. */
export interface RsyncPolicy {
  /** `write`: the peer pushes (we receive). `read`: the peer pulls (we send, `--sender`). */
  readonly direction: Direction;
  readonly allowDelete: boolean;
  /**
   * Device nodes and specials may be made. Without it a request for `-D` is run with `--drop-D` (rsync 3.5), which
   * leaves the encoding of the file list as the client expects it. Fifos and sockets without devices come through when
   * the client says `--no-devices --specials`.
   */
  readonly allowDevices: boolean;
  /** The one path that may be named: absolute and normalised. `.` and a trailing slash mean the same. */
  readonly path: string;
}

export interface RsyncServerRequest {
  /** We send (the peer pulls). */
  readonly sender: boolean;
  /**
   * Everything after the program's name, rebuilt from what was understood: `--server` first; options with a value as
   * one word; `.` and the path last. The path is always the last word, so that who runs it can replace that one.
   */
  readonly argv: readonly string[];
  /** The policy's path. */
  readonly path: string;
}

const MAX_WORDS = 128;
const MAX_WORD = 4096;

/**
 * Checks the words of a request (`argv[0]` is the program, `rsync`) against the policy.
 *
 * @throws RequestRefused
 */
export function parseRsyncServerArgs(argv: readonly string[], policy: RsyncPolicy): RsyncServerRequest {
  checkSize(argv);
  if (argv[0] !== 'rsync' || argv[1] !== '--server') {
    throw new RequestRefused('NotRsync', 'only rsync --server is run here');
  }
  const sender = argv[2] === '--sender';
  if (policy.direction === (sender ? 'write' : 'read')) {
    throw new RequestRefused('DirectionNotAllowed', `this key cannot ${sender ? 'read' : 'write'}`);
  }
  const scan = scanOptions(argv.slice(sender ? 3 : 2), sender, policy);
  checkPath(scan.paths, policy.path);
  if (sender) checkServedNames(scan);
  const dropDevices = !sender && !policy.allowDevices && scan.options.some(asksForDevices);
  return {
    sender,
    argv: [
      '--server',
      ...(sender ? ['--sender'] : []),
      ...scan.options,
      ...(dropDevices ? ['--drop-D'] : []),
      '.',
      policy.path,
    ],
    path: policy.path,
  };
}

function checkSize(argv: readonly string[]): void {
  if (argv.length > MAX_WORDS) throw new RequestRefused('TooLong', `more than ${MAX_WORDS} words`);
  for (const word of argv) {
    if (word.length > MAX_WORD) throw new RequestRefused('TooLong', `a word is longer than ${MAX_WORD}`);
    if (hasControlCharacter(word)) throw new RequestRefused('Malformed', 'a word holds control characters');
  }
}

interface Scan {
  readonly options: string[];
  /** What stands behind the lone `.` that ends the options. */
  readonly paths: readonly string[];
}

function scanOptions(words: readonly string[], sender: boolean, policy: RsyncPolicy): Scan {
  const options: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    if (word === '.') return { options, paths: words.slice(at + 1) };
    if (!word.startsWith('--')) {
      options.push(checkShort(word, sender));
      continue;
    }
    const { name, option, inline } = lookUp(word);
    checkAllowed(name, option, sender, policy);
    if (option.value) options.push(`--${name}=${checkValue(name, option, inline ?? words[++at])}`);
    else if (inline === undefined) options.push(word);
    else throw new RequestRefused('OptionValueNotAllowed', `--${name} takes no value`);
  }
  throw new RequestRefused('Malformed', 'the options do not end with a lone dot');
}

function lookUp(word: string): { name: string; option: LongOption; inline: string | undefined } {
  const equals = word.indexOf('=');
  const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
  const option = longOptions.get(name);
  if (!option) throw new RequestRefused('OptionNotAllowed', `option --${name} is not allowed`);
  return { name, option, inline: equals < 0 ? undefined : word.slice(equals + 1) };
}

function checkAllowed(name: string, option: LongOption, sender: boolean, policy: RsyncPolicy): void {
  if (option.gate && !gateOpen(option.gate, sender, policy)) {
    throw new RequestRefused('DeleteNotAllowed', `this key does not allow --${name}`);
  }
  checkSide(`--${name}`, option.side, sender);
}

function gateOpen(gate: Gate, sender: boolean, policy: RsyncPolicy): boolean {
  if (!policy.allowDelete) return false;
  return gate === 'delete' || !sender || policy.direction === 'both';
}

function checkSide(shown: string, side: Side, sender: boolean): void {
  if (side === 'both' || (side === 'sending') === sender) return;
  throw new RequestRefused(
    'OptionNotAllowed',
    `option ${shown} is not allowed when this side ${sender ? 'sends' : 'receives'}`,
  );
}

function checkValue(name: string, option: LongOption, value: string | undefined): string {
  if (value === undefined) throw new RequestRefused('Malformed', `--${name} has no value`);
  if (!option.value?.(value)) {
    throw new RequestRefused('OptionValueNotAllowed', `this value of --${name} is not allowed`);
  }
  return value;
}

/** One cluster of letters, with `e.<capabilities>` at its end or not, or a letter with a number. */
function checkShort(word: string, sender: boolean): string {
  const numeric = numericShort.get(word[1] ?? '');
  if (word.startsWith('-') && numeric) {
    checkSide(word.slice(0, 2), numeric.side, sender);
    if (numeric.value.test(word.slice(2))) return word;
    throw new RequestRefused('OptionValueNotAllowed', `this value of ${word.slice(0, 2)} is not allowed`);
  }
  const match = /^-([^e]*)(e(?:\d{1,3}\.\d{1,3}|\.)[A-Za-z]{0,32})?$/.exec(word);
  if (!match || word === '-' || word.length > MAX_CLUSTER) {
    throw new RequestRefused('OptionNotAllowed', `"${word}" is not an option that rsync sends`);
  }
  for (const letter of match[1] ?? '') {
    const side = Object.hasOwn(shortOptions, letter) ? shortOptions[letter] : undefined;
    if (!side) throw new RequestRefused('OptionNotAllowed', `option -${letter} is not allowed`);
    checkSide(`-${letter}`, side, sender);
  }
  return word;
}

function asksForDevices(option: string): boolean {
  return /^-[^-e]*D/.test(option);
}

function checkPath(paths: readonly string[], allowed: string): void {
  const [path = ''] = paths;
  if (paths.length !== 1) throw new RequestRefused('PathNotAllowed', 'exactly one path has to be named');
  const bare = path.replace(/\/\.$/, '/').replace(/(?<=.)\/+$/, '');
  if (bare !== '.' && bare !== allowed) {
    throw new RequestRefused('PathNotAllowed', 'the path is not the one that this key is for');
  }
}

/**
 * What is served are the contents of the directory, as `.`: a client that asked for more than that ends with "rejecting
 * unrequested file-list name" (rsync 3.2.5 and newer), so it is told beforehand.
 */
function checkServedNames({ options, paths: [path = ''] }: Scan): void {
  if (path === '.' || options.includes('--files-from=-')) return;
  if (!/\/\.?$/.test(path)) {
    throw new RequestRefused('PathNotAllowed', 'the path has to end with a slash: only contents are served');
  }
  if (options.some((option) => /^-[^-e]*R/.test(option))) {
    throw new RequestRefused('PathNotAllowed', 'with --relative the path has to be given as a dot');
  }
}
