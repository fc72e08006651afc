import { setMaxListeners } from 'node:events';

import { Command, CommanderError } from 'commander';

import { answerShell, COMPLETE } from './completion/answer.js';
import { commands } from './commands/index.js';
import { exitCodeOf, exitCodes, explain } from './failure.js';
import type { Surroundings } from './surroundings.js';
import { programVersion } from './version.js';

/** Runs one command line. Returns one of `exitCodes`. */
export async function run(args: readonly string[], around: Surroundings): Promise<number> {
  // Each call listens; Node.js would take more than ten for a leak, and say so.
  setMaxListeners(0, around.signal);
  const program = makeProgram(around);
  const [first, ...words] = args;
  try {
    if (first === COMPLETE) await answerShell(program, words, around);
    else await program.parseAsync(args, { from: 'user' });
    return exitCodes.done.code;
  } catch (err) {
    // Its message is written already.
    if (err instanceof CommanderError) return err.exitCode === 0 ? exitCodes.done.code : exitCodes.usage.code;
    around.err(around.signal.aborted ? 'interrupted\n' : explain(err));
    return exitCodeOf(err, around.signal);
  }
}

/** The program with all its commands. */
export function makeProgram(around: Surroundings): Command {
  const program = new Command('dr-syncer')
    .description('Warm standby of Kubernetes namespaces in another cluster')
    .version(programVersion())
    .action(() => program.outputHelp());
  for (const make of commands) program.addCommand(make(around));
  for (const command of withChildren(program)) {
    // Each command for itself: what is added ready-made does not take these over from its parent.
    command
      .exitOverride()
      .configureOutput({ writeOut: (text) => around.out(text), writeErr: (text) => around.err(text) });
  }
  return program;
}

function withChildren(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withChildren)];
}
