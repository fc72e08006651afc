import { Command } from 'commander';

import { checkCommand } from '../kubeconfig/check.js';
import { createCommand } from '../kubeconfig/create.js';
import type { Surroundings } from '../surroundings.js';

export function kubeconfig(around: Surroundings): Command {
  return new Command('kubeconfig')
    .description('the credentials of a RemoteCluster')
    .addCommand(checkCommand(around))
    .addCommand(createCommand(around));
}
