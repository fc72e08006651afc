import { CONTROL_COMMAND, RSYNC_COMMAND } from '@dr-syncer/api';
import { RequestRefused } from './refusals.js';
import { parseRsyncServerArgs } from './rsync-args.js';
import { tokenizeCommand } from './tokenizer.js';
import { isNormalAbsolutePath } from './volume-path.js';

export type Direction = 'read' | 'write' | 'both';

/** What a key may do: the meaning of its `command="..."`. */
export type ForcedCommand =
  /** `dr-syncer-control`: the control protocol. */
  | { readonly kind: 'control' }
  /**
   * `rsync --server ...`: runs exactly this, whatever was asked. `argv[0]` is `rsync`, the last word the path: absolute
   * and normalised.
   */
  | { readonly kind: 'literal'; readonly argv: readonly string[] }
  /** `dr-syncer-rsync [--read-only|--write-only] [--no-delete] DIR`. */
  | {
      readonly kind: 'confined';
      /** From the key holder's view: `read` pulls from DIR, `write` pushes into it. */
      readonly direction: Direction;
      readonly allowDelete: boolean;
      /** Absolute and normalised. */
      readonly dir: string;
    };

/**
 * A literal command is held to the same grammar as a request, with the direction and the path that it names itself.
 *
 * @throws RequestRefused (`ForcedCommandInvalid`)
 */
export function parseForcedCommand(text: string): ForcedCommand {
  const words = split(text);
  const [program, ...rest] = words;
  if (program === CONTROL_COMMAND && rest.length === 0) return { kind: 'control' };
  if (program === RSYNC_COMMAND) return parseConfined(rest);
  if (program === 'rsync' || program === '/usr/bin/rsync') return parseLiteral(rest);
  throw invalid(`the command has to be ${CONTROL_COMMAND}, ${RSYNC_COMMAND} or rsync --server`);
}

function split(text: string): string[] {
  try {
    return tokenizeCommand(text);
  } catch (err) {
    throw err instanceof RequestRefused ? invalid(err.message) : err;
  }
}

function parseConfined(words: readonly string[]): ForcedCommand {
  const options = words.slice(0, -1);
  const dir = words.at(-1) ?? '';
  let direction: Direction = 'both';
  let allowDelete = true;
  for (const option of options) {
    if (option === '--no-delete') allowDelete = false;
    else if (direction !== 'both') throw invalid(`${option}: the direction is given already`);
    else if (option === '--read-only') direction = 'read';
    else if (option === '--write-only') direction = 'write';
    else throw invalid(`${RSYNC_COMMAND} does not know the option ${option}`);
  }
  if (!isNormalAbsolutePath(dir)) {
    throw invalid('the directory has to be absolute, without "." and ".." and double slashes');
  }
  return { kind: 'confined', direction, allowDelete, dir };
}

function parseLiteral(rest: readonly string[]): ForcedCommand {
  const path = (rest.at(-1) ?? '').replace(/(?<=.)\/$/, '');
  const argv = ['rsync', ...rest.slice(0, -1), path];
  if (!isNormalAbsolutePath(path)) throw invalid('the last word has to be an absolute path');
  try {
    // A lone dot stands for the path: what is said about a client's trailing slash is not for the file's author.
    parseRsyncServerArgs([...argv.slice(0, -1), '.'], {
      direction: 'both',
      allowDelete: true,
      allowDevices: true,
      path,
    });
  } catch (err) {
    throw err instanceof RequestRefused ? invalid(`${err.code}: ${err.message}`) : err;
  }
  return { kind: 'literal', argv };
}

function invalid(detail: string): RequestRefused {
  return new RequestRefused('ForcedCommandInvalid', detail);
}

/** The text that `parseForcedCommand` reads back as the same. */
export function renderForcedCommand(command: ForcedCommand): string {
  switch (command.kind) {
    case 'control':
      return CONTROL_COMMAND;
    case 'literal':
      return command.argv.map(quoteWord).join(' ');
    case 'confined':
      return [
        RSYNC_COMMAND,
        ...(command.direction === 'both' ? [] : [`--${command.direction}-only`]),
        ...(command.allowDelete ? [] : ['--no-delete']),
        quoteWord(command.dir),
      ].join(' ');
  }
}

/** Single quotes, not backslashes: a word never ends in a backslash, which `command="..."` could not hold. */
function quoteWord(word: string): string {
  if (/^[A-Za-z0-9_./,:=@%+-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
