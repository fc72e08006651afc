import { createRequire } from 'node:module';

import { Command, CommanderError } from 'commander';

/** Where a command writes: results to out, messages for people to err. */
export interface Streams {
  out(text: string): void;
  err(text: string): void;
}

const USAGE_EXIT_CODE = 2;

/** Runs one command line. Returns the exit code: 0 done, 1 failed, 2 wrong usage. */
export async function run(args: readonly string[], streams: Streams): Promise<number> {
  const program = new Command('dr-syncer')
    .description('Warm standby of Kubernetes namespaces in another cluster')
    .version(version())
    .exitOverride()
    .configureOutput({ writeOut: (text) => streams.out(text), writeErr: (text) => streams.err(text) })
    .action(() => program.outputHelp());
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (err) {
    if (err instanceof CommanderError) return err.exitCode === 0 ? 0 : USAGE_EXIT_CODE;
    streams.err(`${err instanceof Error ? err.message : String(err)}\n`);
    return 1;
  }
}

function version(): string {
  const { version: text } = createRequire(import.meta.url)('../package.json') as { version: string };
  return text;
}
