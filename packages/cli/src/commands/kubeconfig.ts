import { readFile, stat } from 'node:fs/promises';

import { parseKubeconfig } from '@dr-syncer/kube';
import { Command } from 'commander';

import { CommandFailure } from '../failure.js';
import type { Surroundings } from '../surroundings.js';

/** More than the parser accepts, less than would hurt to read. */
const MAX_BYTES = 1024 * 1024;

export function kubeconfig(around: Surroundings): Command {
  return new Command('kubeconfig')
    .description('the credentials of a RemoteCluster')
    .addCommand(checkCommand(around));
}

function checkCommand(around: Surroundings): Command {
  return new Command('check')
    .description('says whether a RemoteCluster would accept a kubeconfig, and which fields it would refuse')
    .argument('<file>', 'the kubeconfig, as it would go into the Secret')
    .action(async (file: string) => {
      const access = parseKubeconfig(await readLimited(file));
      around.out(`${file}: accepted, server ${access.server}\n`);
    });
}

async function readLimited(file: string): Promise<Buffer> {
  const { size } = await stat(file);
  if (size > MAX_BYTES) throw new CommandFailure(`${file}: a kubeconfig has at most ${MAX_BYTES} bytes`);
  return readFile(file);
}
