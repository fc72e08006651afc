import { spawn } from 'node:child_process';
import { join } from 'node:path';

import { repository } from '../integration/support/solo/programs.js';

export interface CliOutcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface CliOptions {
  /** Of the environment, besides PATH; HOME is none, so no kubeconfig of this machine is found by mistake. */
  readonly env?: Readonly<Record<string, string>>;
  /** Gives it a terminal of 120 columns, which takes both streams (`out`). */
  readonly terminal?: boolean;
  /** Types Ctrl-C when this is in the output. Needs a terminal. */
  readonly interruptAt?: RegExp;
}

/** The program as people start it. */
export function cliProgram(): string {
  return join(repository(), 'packages/cli/dist/main.js');
}

/** Runs `dr-syncer ARGS` as a process of its own. */
export async function cli(args: readonly string[], options: CliOptions = {}): Promise<CliOutcome> {
  const { env = {}, terminal = false, interruptAt } = options;
  const { PATH = '/usr/bin:/bin' } = process.env; // eslint-disable-line no-restricted-properties -- for the child
  const words = [process.execPath, cliProgram(), ...args];
  const quoted = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  const [program = '', ...rest] = terminal
    ? [
        'script',
        '--quiet',
        '--return',
        '--flush',
        '--command',
        `stty cols 120 rows 40; exec ${quoted}`,
        '/dev/null',
      ]
    : words;
  const child = spawn(program, rest, {
    env: { PATH, TERM: 'xterm', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const written = { out: '', err: '' };
  // A second Ctrl-C would end it without another word.
  let interrupted = false;
  child.stdout.on('data', (chunk: Buffer) => {
    written.out += chunk.toString();
    if (!interrupted && interruptAt?.test(written.out) === true) {
      interrupted = true;
      child.stdin.write('\u0003');
    }
  });
  child.stderr.on('data', (chunk: Buffer) => (written.err += chunk.toString()));
  if (!terminal) child.stdin.end();
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, ...written };
}
