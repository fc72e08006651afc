import type { ReplicationStatus } from '@dr-syncer/api';
import { remoteClusters, replications } from '@dr-syncer/controller';
import { keyOf, type KubeObject, Reflector, type Resource, sleep } from '@dr-syncer/kube';

import type { PersonsCluster } from '../cluster-flags.js';
import { changes } from '../live/changes.js';
import { type OutputFormat, serialize } from '../output.js';
import { LiveLines, paintFor } from '../screen.js';
import type { Surroundings } from '../surroundings.js';
import { visible } from '../visible.js';
import { reportOf, type Scope, type Seen } from './report.js';
import { statusText } from './rows.js';
import { type StandbyView, standbysOf } from './standbys.js';
import { replicationView } from './view.js';

const REDRAW_MS = 1_000;
/** Standbys are found by looking at every namespace; they change seldom. */
const STANDBYS_MS = 30_000;

/**
 * Shows the state until the signal ends it: on a terminal as one text that changes, elsewhere a line for each thing that
 * happens, or with json and yaml a document for each Replication that changes.
 */
export async function watchStatus(
  around: Surroundings,
  cluster: Pick<PersonsCluster, 'client'>,
  scope: Scope,
  first: Seen,
  format: OutputFormat,
): Promise<void> {
  const { signal } = around;
  const mirrors = await followed(cluster, scope, signal);
  try {
    if (format === 'table' && around.outScreen !== undefined) {
      await redraw(around, cluster, scope, first, mirrors);
    } else {
      await tell(around, mirrors.replications, scope, format);
    }
  } finally {
    await Promise.all([mirrors.replications?.close(), mirrors.remoteClusters?.close()]);
  }
}

interface Mirrors {
  readonly replications: Reflector | undefined;
  readonly remoteClusters: Reflector | undefined;
}

/** Only what is served: a cluster that holds nothing but standbys has none of our kinds. */
async function followed(
  { client }: Pick<PersonsCluster, 'client'>,
  { namespace, name }: Scope,
  signal: AbortSignal,
): Promise<Mirrors> {
  const open = async (resource: Resource): Promise<Reflector | undefined> => {
    if ((await visible(client, resource, namespace, signal)) !== 'yes') return undefined;
    const reflector = new Reflector({ client, resource, namespace });
    reflector.start(signal);
    await reflector.synced;
    return reflector;
  };
  return {
    replications: await open(replications),
    remoteClusters: name === undefined ? await open(remoteClusters) : undefined,
  };
}

async function redraw(
  around: Surroundings,
  { client }: Pick<PersonsCluster, 'client'>,
  scope: Scope,
  first: Seen,
  mirrors: Mirrors,
): Promise<void> {
  const { signal, outScreen } = around;
  if (outScreen === undefined) return;
  const live = new LiveLines(outScreen, (text) => around.out(text));
  const paint = paintFor(outScreen, around);
  let standbys: readonly StandbyView[] = first.standbys;
  let lookedAt = performance.now();
  for (;;) {
    const now = new Date();
    const seen = {
      replications: mirrors.replications?.store.list().filter(within(scope)) ?? [],
      remoteClusters: mirrors.remoteClusters?.store.list() ?? [],
      standbys,
    };
    const stale = mirrors.replications?.lastError ?? mirrors.remoteClusters?.lastError;
    const lines = statusText(reportOf(seen, now), now, paint).trimEnd().split('\n');
    live.show(stale === undefined ? lines : [...lines, '', paint(`not up to date: ${stale.message}`, 'red')]);
    await sleep(REDRAW_MS, signal);
    if (scope.name !== undefined || performance.now() - lookedAt < STANDBYS_MS) continue;
    lookedAt = performance.now();
    standbys = await standbysOf(client, scope.namespace, now, signal).catch(() => standbys);
  }
}

async function tell(
  around: Surroundings,
  mirror: Reflector | undefined,
  scope: Scope,
  format: OutputFormat,
): Promise<void> {
  const before = new Map<string, ReplicationStatus | undefined>();
  const show = (object: KubeObject): void => {
    if (!within(scope)(object)) return;
    const key = keyOf(object);
    const status = object['status'] as ReplicationStatus | undefined;
    const news = changes(before.get(key), status);
    before.set(key, status);
    if (news.length === 0) return;
    const now = new Date();
    if (format === 'table') around.out(news.map((line) => `${now.toISOString()} ${key} ${line}\n`).join(''));
    else if (format === 'json') around.out(`${JSON.stringify(replicationView(object, now))}\n`);
    else around.out(`---\n${serialize(replicationView(object, now), format)}`);
  };
  const gone = (object: KubeObject): void => {
    if (!within(scope)(object)) return;
    before.delete(keyOf(object));
    if (format === 'table') around.out(`${new Date().toISOString()} ${keyOf(object)} deleted\n`);
  };
  mirror?.subscribe({ added: show, updated: show, deleted: gone });
  await ended(around.signal);
}

function within({ name }: Scope): (object: KubeObject) => boolean {
  return ({ metadata }) => name === undefined || metadata.name === name;
}

/** @throws when the signal aborts */
async function ended(signal: AbortSignal): Promise<never> {
  for (;;) await sleep(3_600_000, signal);
}
