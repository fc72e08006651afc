import { createRequire } from 'node:module';

import { Command, CommanderError } from 'commander';

import { commands } from './commands/index.js';
import { exitCode, explain, UsageError } from './failure.js';
import type { Surroundings } from './surroundings.js';

/** Runs one command line. Returns the exit code: 0 done, 1 failed or the answer is no, 2 wrong usage. */
export async function run(args: readonly string[], around: Surroundings): Promise<number> {
  const program = new Command('dr-syncer')
    .description('Warm standby of Kubernetes namespaces in another cluster')
    .version(version())
    .action(() => program.outputHelp());
  for (const make of commands) program.addCommand(make(around));
  for (const command of withChildren(program)) {
    // Each command for itself: what is added ready-made does not take these over from its parent.
    command
      .exitOverride()
      .configureOutput({ writeOut: (text) => around.out(text), writeErr: (text) => around.err(text) });
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode.done;
  } catch (err) {
    // Its message is written already.
    if (err instanceof CommanderError) return err.exitCode === 0 ? exitCode.done : exitCode.usage;
    around.err(explain(err));
    return err instanceof UsageError ? exitCode.usage : exitCode.failed;
  }
}

function withChildren(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withChildren)];
}

function version(): string {
  const { version: text } = createRequire(import.meta.url)('../package.json') as { version: string };
  return text;
}
