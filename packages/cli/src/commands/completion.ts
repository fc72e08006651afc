import { Argument, Command } from 'commander';

import { type Shell, scripts, shells } from '../completion/scripts.js';
import type { Surroundings } from '../surroundings.js';

export function completion(around: Surroundings): Command {
  return new Command('completion')
    .description('print a script by which a shell completes commands, options and names in the cluster')
    .addArgument(new Argument('<shell>', 'which one').choices([...shells]))
    .addHelpText(
      'after',
      '\nbash: source <(dr-syncer completion bash). zsh: source <(dr-syncer completion zsh), after compinit. fish: dr-syncer\ncompletion fish | source. For "kubectl dr-syncer", put what "completion kubectl" prints into the PATH as\nkubectl_complete-dr_syncer and make it executable.',
    )
    .action((shell: Shell) => around.out(scripts[shell]));
}
