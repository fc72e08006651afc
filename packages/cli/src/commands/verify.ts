import { type ReplicationStatus, verificationModes } from '@dr-syncer/api';
import { replications } from '@dr-syncer/controller';
import type { KubeObject } from '@dr-syncer/kube';
import { Command, Option } from 'commander';

import { clusterFlags, type ClusterFlags, type PersonsCluster, withCluster } from '../cluster-flags.js';
import { parseWait } from '../duration.js';
import { CommandFailure, DifferenceFound, UsageError } from '../failure.js';
import { outputFlag, type OutputFlags, print } from '../output.js';
import { paintFor } from '../screen.js';
import type { Surroundings } from '../surroundings.js';
import { requestSync } from '../sync/request.js';
import { waitForSyncs } from '../sync/wait.js';
import { type Finding, findingRows, findingsOf } from '../verify/findings.js';

interface Flags extends ClusterFlags, OutputFlags {
  readonly volume?: string;
  readonly mode: string;
  readonly wait?: boolean;
  readonly timeout?: number;
  readonly startTimeout: number;
}

interface Result {
  readonly replication: string;
  readonly request: string;
  readonly result: 'Requested' | Finding['result'];
  readonly message?: string;
  readonly volumes: readonly Finding[];
}

const START_TIMEOUT_S = 60;
/** Of "none" there would be nothing to say. */
const modes = verificationModes.filter((mode) => mode !== 'none');

export function verify(around: Surroundings): Command {
  const command = new Command('verify')
    .description('sync the volumes now and compare the copies with their sources')
    .argument('<replication>', 'name of the Replication')
    .option('--volume <claim>', 'compare this volume alone; all are synced')
    .addOption(new Option('--mode <mode>', 'how much is compared').choices(modes).default('full'))
    .option('-w, --wait', 'wait for the answer and show progress; the exit code says it')
    .option(
      '--timeout <time>',
      'with --wait: how long it may take (90s, 10m, 2h; default: no limit)',
      parseWait,
    )
    .option('--start-timeout <time>', 'with --wait: how long until it has begun', parseWait, START_TIMEOUT_S);
  const detail =
    '\nfull reads every file at both ends, sample one in a hundred, counts compares numbers of entries and bytes.\nEnds with 0 when all is the same, with 4 when a copy differs, with 1 when that could not be found out.';
  command.addHelpText('after', detail);
  return outputFlag(clusterFlags(command)).action(async (name: string, flags: Flags) => {
    if (flags.timeout !== undefined && flags.wait !== true) throw new UsageError('--timeout needs --wait');
    if (flags.volume?.includes('=') === true)
      throw new UsageError('--volume: a claim has no "=" in its name');
    const result = await withCluster(around, flags, (cluster, signal) =>
      verifyOne(around, cluster, name, flags, signal),
    );
    const paint = paintFor(around.outScreen, around);
    print(
      around,
      flags,
      result,
      () => rows(result),
      (cell, _column, row) =>
        paint(cell, row > 0 && cell === 'Differs' ? 'red' : cell === 'Same' ? 'green' : undefined),
    );
    if (result.result === 'Differs') throw new DifferenceFound();
    if (result.result === 'Unknown') throw new CommandFailure(result.message ?? '');
  });
}

async function verifyOne(
  around: Surroundings,
  { client, namespace }: PersonsCluster,
  name: string,
  { mode, volume, wait, timeout, startTimeout }: Flags,
  signal: AbortSignal,
): Promise<Result> {
  const asked = volume === undefined ? mode : `${mode}:${volume}`;
  const requested = await requestSync(client, namespace, name, signal, asked);
  const { request } = requested;
  const replication = `${namespace}/${name}`;
  if (wait !== true) return { replication, request, result: 'Requested', volumes: [] };
  const answers = await waitForSyncs(around, client, {
    ...{ requested: [requested], namespace, timeoutS: timeout, startTimeoutS: startTimeout },
  });
  const object = await client.find<KubeObject & { status?: ReplicationStatus }>(
    { resource: replications, namespace, name },
    { signal },
  );
  const volumes = findingsOf(object?.status ?? {}, { request, mode, volume });
  const message = answers.get(replication)?.message;
  return { replication, request, result: worst(volumes), ...(message !== undefined && { message }), volumes };
}

/** No volume at all: nothing was compared. */
function worst(findings: readonly Finding[]): Finding['result'] {
  if (findings.some(({ result }) => result === 'Differs')) return 'Differs';
  return findings.length > 0 && findings.every(({ result }) => result === 'Same') ? 'Same' : 'Unknown';
}

function rows({ result, request, volumes }: Result): string[][] {
  if (result !== 'Requested') return findingRows(volumes);
  return [
    ['RESULT', 'MESSAGE'],
    [result, `request ${request}; status.volumes[].verification will have the answer`],
  ];
}
