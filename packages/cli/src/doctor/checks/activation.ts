import { agentNames, SYSTEM_NAMESPACE } from '@dr-syncer/api';
import { parseReplication, routeOf } from '@dr-syncer/controller';
import { type KubeClient, type KubeObject, wellKnown } from '@dr-syncer/kube';

import { duration } from '../../duration.js';
import { type Activation, activationOf } from '../../failover/activation.js';
import { parseFence } from '../../failover/fence.js';
import type { Check, DoctorContext, RemoteUnderTest } from '../context.js';
import { notSeen } from '../each-cluster.js';
import { type Finding, problem } from '../problems.js';

const CHECK = 'activation';
/** Longer than failovers wait by themselves. */
const UNFINISHED_MS = 30 * 60_000;

interface Workload extends KubeObject {
  readonly spec?: { readonly replicas?: number };
}

interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

/** Standbys that are active, half active, or fenced though they are standbys again. */
export const activation: Check = async (context) =>
  (
    await Promise.all(
      context.remotes.flatMap((one) =>
        one.client === undefined ? [] : [ofRemote(context, one, one.client)],
      ),
    )
  ).flat();

async function ofRemote(
  context: DoctorContext,
  { key }: RemoteUnderTest,
  client: KubeClient,
): Promise<Finding[]> {
  const { signal } = context;
  try {
    const found: Finding[] = [];
    for (const { sourceNamespace, destinationNamespace } of routesTo(context, key)) {
      const ref = { resource: wellKnown.namespaces, name: destinationNamespace };
      const namespace = await client.find(ref, { signal });
      const active = namespace && activationOf(namespace);
      if (active === undefined) continue;
      const running = await runningWorkloads(context.client, sourceNamespace, signal);
      found.push(
        judgeActivation(`remote ${key}, namespace ${destinationNamespace}`, active, running, new Date()),
      );
    }
    return [...found, ...(await staleFences(key, client, signal))];
  } catch (err) {
    signal.throwIfAborted();
    return [notSeen(CHECK, `remote ${key}`, err)];
  }
}

/** Pure. @param running workloads of the source that are not at rest */
export function judgeActivation(
  subject: string,
  active: Activation,
  running: readonly string[],
  now: Date,
): Finding {
  const at = { check: CHECK, subject };
  const age = now.getTime() - Date.parse(active.startedAt);
  if (running.length > 0 && active.phase === 'Active') {
    return problem(
      'BothSidesActive',
      at,
      `active since ${active.startedAt}, and in the source run ${running.slice(0, 5).join(', ')}`,
    );
  }
  if (active.phase === 'Starting' && !(age < UNFINISHED_MS)) {
    return problem(
      'FailoverUnfinished',
      at,
      `a failover was begun ${Number.isFinite(age) ? `${duration(age / 1000)} ago` : 'at an unknown time'}`,
    );
  }
  return problem('StandbyIsActive', at, `${active.phase} since ${active.startedAt}`);
}

async function runningWorkloads(
  client: KubeClient,
  namespace: string,
  signal: AbortSignal,
): Promise<string[]> {
  const lists = await Promise.all(
    [wellKnown.deployments, wellKnown.statefulSets].map((type) =>
      client.list<Workload>(type, { namespace, signal }),
    ),
  );
  return lists.flatMap(({ items }) =>
    items.flatMap(({ kind, metadata, spec }) =>
      (spec?.replicas ?? 1) > 0 ? [`${kind === '' ? 'workload' : kind} ${metadata.name}`] : [],
    ),
  );
}

async function staleFences(key: string, client: KubeClient, signal: AbortSignal): Promise<Finding[]> {
  const ref = {
    resource: wellKnown.configMaps,
    namespace: SYSTEM_NAMESPACE,
    name: agentNames.fenceConfigMap,
  };
  const fence = await client.find<ConfigMap>(ref, { signal });
  const fenced = parseFence(fence?.data?.['volumes'] ?? '');
  const found: Finding[] = [];
  for (const [name, volumes] of fenced) {
    if (name === '' || volumes.length === 0) continue;
    const namespace = await client.find({ resource: wellKnown.namespaces, name }, { signal });
    if (namespace === undefined || activationOf(namespace) !== undefined) continue;
    const subject = `remote ${key}, namespace ${name}`;
    found.push(
      problem(
        'StaleFence',
        { check: CHECK, subject },
        `it is a standby, and its volumes ${volumes.slice(0, 5).join(', ')} take no data`,
      ),
    );
  }
  return found;
}

function routesTo({ replications }: DoctorContext, key: string) {
  return replications.flatMap((object) => {
    const parsed = parseReplication(object);
    if (!parsed.ok) return [];
    try {
      const route = routeOf(parsed.value);
      return route.remoteKey === key ? [route] : [];
    } catch {
      return [];
    }
  });
}
