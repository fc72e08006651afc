import { parseExpiryTime } from './expiry-time.js';
import { type ForcedCommand, parseForcedCommand } from './forced-command.js';
import { type FromPatterns, parseFromPatterns } from './from-patterns.js';
import { RequestRefused } from './refusals.js';

export interface AuthorizedKeyOptions {
  readonly command: ForcedCommand;
  /** As written between the quotes, unquoted. */
  readonly commandText: string;
  readonly from?: FromPatterns;
  /** The key is refused after this instant. */
  readonly expiresAt?: Date;
  /** `restrict` was written. Forwarding, pty and so on are never given by this server, with or without it. */
  readonly restrict: boolean;
}

export type OptionProblemCode =
  'Malformed' | 'UnknownOption' | 'OptionRefused' | 'NoForcedCommand' | 'CommandInvalid';

/** Why the options of a line make the line unusable. */
export class OptionsRefused extends Error {
  override readonly name = 'OptionsRefused';
  readonly code: OptionProblemCode;

  constructor(code: OptionProblemCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Options that only take away what this server never gives. */
const RESTRICTIONS = new Set([
  'no-agent-forwarding',
  'no-port-forwarding',
  'no-pty',
  'no-user-rc',
  'no-x11-forwarding',
]);

/** Options of sshd(8) that ask for something this server never does. */
const REFUSED = new Set([
  'agent-forwarding',
  'cert-authority',
  'environment',
  'no-touch-required',
  'permitlisten',
  'permitopen',
  'port-forwarding',
  'principals',
  'pty',
  'touch-required',
  'tunnel',
  'user-rc',
  'verify-required',
  'x11-forwarding',
]);

interface Draft {
  restrict: boolean;
  commandText?: string;
  from?: FromPatterns;
  expiresAt?: Date;
}

/**
 * Where the options at the start of a line end: at the first blank outside of quotes.
 *
 * @returns the index of that blank, or the length of the line.
 */
export function optionsEnd(line: string): number {
  let quoted = false;
  for (let at = 0; at < line.length; at++) {
    const char = line[at];
    if (char === '\\' && line[at + 1] === '"') at++;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && (char === ' ' || char === '\t')) return at;
  }
  return line.length;
}

/**
 * The comma separated options of one line, with the meaning of sshd(8): names without regard to case, `\"` for a
 * quote inside quotes, one `command` and one `from` at most, the earliest of several `expiry-time`.
 *
 * @throws OptionsRefused
 */
export function parseOptions(text: string): AuthorizedKeyOptions {
  const draft: Draft = { restrict: false };
  let rest = text;
  while (rest !== '') {
    const match = /^([A-Za-z0-9-]+)(?:="((?:\\"|\\(?!")|[^"\\])*)")?(,(?=.)|$)/s.exec(rest);
    if (!match) throw new OptionsRefused('Malformed', 'an option is not of the form name or name="value"');
    const [whole, name = '', value] = match;
    applyOption(draft, name.toLowerCase(), value?.replaceAll('\\"', '"'));
    rest = rest.slice(whole.length);
  }
  return finish(draft);
}

function applyOption(draft: Draft, name: string, value: string | undefined): void {
  if (name === 'command') setCommand(draft, needValue(name, value));
  else if (name === 'from') setFrom(draft, needValue(name, value));
  else if (name === 'expiry-time') setExpiry(draft, needValue(name, value));
  else if (REFUSED.has(name))
    throw new OptionsRefused('OptionRefused', `the option ${name} is not supported here`);
  else if (name === 'restrict' || RESTRICTIONS.has(name)) {
    if (value !== undefined) throw new OptionsRefused('Malformed', `the option ${name} takes no value`);
    draft.restrict ||= name === 'restrict';
  } else throw new OptionsRefused('UnknownOption', `the option ${name.slice(0, 64)} is not known`);
}

function needValue(name: string, value: string | undefined): string {
  if (value === undefined)
    throw new OptionsRefused('Malformed', `the option ${name} needs a value in quotes`);
  return value;
}

function setCommand(draft: Draft, value: string): void {
  if (draft.commandText !== undefined) throw new OptionsRefused('Malformed', 'command= is given twice');
  draft.commandText = value;
}

function setFrom(draft: Draft, value: string): void {
  if (draft.from) throw new OptionsRefused('Malformed', 'from= is given twice');
  try {
    draft.from = parseFromPatterns(value);
  } catch (err) {
    throw err instanceof TypeError ? new OptionsRefused('Malformed', err.message) : err;
  }
}

function setExpiry(draft: Draft, value: string): void {
  const time = parseExpiryTime(value);
  if (!time) throw new OptionsRefused('Malformed', 'expiry-time= is not YYYYMMDD[HHMM[SS]][Z]');
  if (!draft.expiresAt || time < draft.expiresAt) draft.expiresAt = time;
}

function finish(draft: Draft): AuthorizedKeyOptions {
  const { commandText, ...rest } = draft;
  if (commandText === undefined) {
    throw new OptionsRefused(
      'NoForcedCommand',
      'there is no command="...", and this server has no shell to give',
    );
  }
  try {
    return { ...rest, commandText, command: parseForcedCommand(commandText) };
  } catch (err) {
    throw err instanceof RequestRefused ? new OptionsRefused('CommandInvalid', err.message) : err;
  }
}
