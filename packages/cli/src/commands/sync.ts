import { parseReplication, replications } from '@dr-syncer/controller';
import { Command } from 'commander';

import { type ClusterFlags, clusterFlags, type PersonsCluster, withCluster } from '../cluster-flags.js';
import { parseWait } from '../duration.js';
import { CommandFailure, UsageError } from '../failure.js';
import { type OutputFlags, outputFlag, print } from '../output.js';
import { paintFor } from '../screen.js';
import { type ReplicationView, replicationView } from '../status/view.js';
import type { Surroundings } from '../surroundings.js';
import { requestSync, type Requested } from '../sync/request.js';
import { type Ended, waitForSyncs } from '../sync/wait.js';

interface Flags extends ClusterFlags, OutputFlags {
  readonly all?: boolean;
  readonly wait?: boolean;
  readonly timeout?: number;
  readonly startTimeout: number;
}

interface Result {
  readonly replication: string;
  readonly request: string;
  readonly result: 'Requested' | 'Completed' | 'Failed';
  readonly reason?: string;
  readonly message?: string;
  readonly status?: ReplicationView;
}

const START_TIMEOUT_S = 60;

export function sync(around: Surroundings): Command {
  const command = new Command('sync')
    .description('sync now, whatever the schedule says')
    .argument('[replications...]', 'names of Replications')
    .option('--all', 'every Replication of the namespace that is not paused')
    .option('-w, --wait', 'wait for the end and show progress; the exit code says the result')
    .option(
      '--timeout <time>',
      'with --wait: how long it may take (90s, 10m, 2h; default: no limit)',
      parseWait,
    )
    .option('--start-timeout <time>', 'with --wait: how long until it has begun', parseWait, START_TIMEOUT_S);
  return outputFlag(clusterFlags(command)).action(async (names: string[], flags: Flags) => {
    if ((flags.all === true) === names.length > 0) throw new UsageError('name Replications, or use --all');
    if (flags.timeout !== undefined && flags.wait !== true) throw new UsageError('--timeout needs --wait');
    const results = await withCluster(around, flags, (cluster, signal) =>
      syncAll(around, cluster, [...new Set(names)], flags, signal),
    );
    const paint = paintFor(around.outScreen, around);
    print(
      around,
      flags,
      { syncs: results },
      () => rows(results),
      (cell, _column, row) =>
        paint(cell, row > 0 && cell === 'Failed' ? 'red' : cell === 'Completed' ? 'green' : undefined),
    );
    if (results.some(({ result }) => result === 'Failed')) throw new CommandFailure('');
  });
}

async function syncAll(
  around: Surroundings,
  { client, namespace }: PersonsCluster,
  names: readonly string[],
  { all, wait, timeout, startTimeout }: Flags,
  signal: AbortSignal,
): Promise<Result[]> {
  const wanted = all === true ? await unpaused(client, namespace, signal) : names;
  if (wanted.length === 0) throw new CommandFailure(`no Replication in ${namespace} that is not paused`);
  const requested: Requested[] = [];
  for (const name of wanted) requested.push(await requestSync(client, namespace, name, signal));
  if (wait !== true) return requested.map((one) => ({ ...heading(one), result: 'Requested' }));
  const answers = await waitForSyncs(around, client, {
    ...{ requested, namespace, timeoutS: timeout, startTimeoutS: startTimeout },
  });
  return Promise.all(
    requested.map(async (one) => {
      const answer = answers.get(heading(one).replication);
      const object = await client.find({ resource: replications, namespace, name: one.name }, { signal });
      return {
        ...heading(one),
        ...resultOf(answer),
        ...(object !== undefined && { status: replicationView(object, new Date()) }),
      };
    }),
  );
}

function heading({ namespace, name, request }: Requested): Pick<Result, 'replication' | 'request'> {
  return { replication: `${namespace}/${name}`, request };
}

function resultOf(answer: Ended | undefined): Pick<Result, 'result' | 'reason' | 'message'> {
  if (answer === undefined) return { result: 'Failed' };
  const { ok, reason, message } = answer;
  return { result: ok ? 'Completed' : 'Failed', reason, message };
}

async function unpaused(
  client: PersonsCluster['client'],
  namespace: string,
  signal: AbortSignal,
): Promise<string[]> {
  const { items } = await client.list(replications, { namespace, signal });
  return items.flatMap((object) => {
    const parsed = parseReplication(object);
    return parsed.ok && parsed.value.spec.paused ? [] : [object.metadata.name];
  });
}

function rows(results: readonly Result[]): string[][] {
  return [
    ['REPLICATION', 'RESULT', 'MESSAGE'],
    ...results.map(({ replication, result, message, request }) => [
      replication,
      result,
      message ?? `request ${request}; "dr-syncer status" shows how it goes`,
    ]),
  ];
}
