import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureKubeBinaries } from '../binary.js';
import { writeAtomically } from '../process/files.js';
import { withLock } from '../process/lock.js';
import type { Settings } from '../settings.js';
import { prepareHost, restoreHost } from './host.js';
import { LocalCluster } from './local-cluster.js';
import { ensureBridge, removeBridge } from './network.js';
import { clusterNames, planBridge, planCluster, type ClusterName } from './plan.js';
import { endRecycler, ensureRecycler } from './recycler.js';

type Report = (line: string) => void;
type NodeCounts = Record<ClusterName, number>;

/** Not in the state directory, which `down` removes. An empty file there is what a lock leaves, by convention. */
function lockFile(settings: Settings): string {
  return `/run/lock/dr-syncer-clusters-${settings.network}.lock`;
}

/** Brings both clusters up; does nothing to what runs already. Safe to call from several processes at once. */
export async function upLocalClusters(settings: Settings, report: Report): Promise<LocalCluster[]> {
  const bin = await ensureKubeBinaries(settings, report);
  return withLock(lockFile(settings), async () => {
    await prepareHost(settings.stateDir);
    const counts = nodeCounts(settings);
    await writeAtomically(topologyFile(settings), JSON.stringify({ bin, counts }));
    await ensureBridge(planBridge(settings.network));
    const clusters = makeClusters(settings, bin, counts);
    await Promise.all(
      clusters.map(async (cluster) => {
        const started = Date.now();
        await cluster.up();
        report(`${cluster.plan.name}: ready after ${((Date.now() - started) / 1000).toFixed(1)} s`);
      }),
    );
    ensureRecycler(settings.stateDir);
    return clusters;
  });
}

/** The clusters as `up` made them, running or not; undefined when there are none. */
export function findLocalClusters(settings: Settings): LocalCluster[] | undefined {
  const topology = readTopology(settings);
  return topology && makeClusters(settings, topology.bin, topology.counts);
}

/** Ends and removes everything, also what a run that was killed half-way has left. */
export async function downLocalClusters(settings: Settings, report: Report): Promise<void> {
  await withLock(lockFile(settings), async () => {
    await endRecycler(settings.stateDir);
    // Without a topology there may still be nodes: the most that a plan can hold is looked for.
    const clusters = makeClusters(settings, '', { 'dr-source': maximumNodes, 'dr-remote': maximumNodes });
    await Promise.all(clusters.map((cluster) => cluster.stop()));
    await removeBridge(planBridge(settings.network));
    await restoreHost(settings.stateDir);
    report('removed: nodes, network, files');
  });
}

const maximumNodes = 8;

interface Topology {
  readonly bin: string;
  readonly counts: NodeCounts;
}

function topologyFile(settings: Settings): string {
  return join(settings.stateDir, 'topology.json');
}

function readTopology(settings: Settings): Topology | undefined {
  const file = topologyFile(settings);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Topology) : undefined;
}

/** A cluster never shrinks: nodes that run stay until `down`. */
function nodeCounts(settings: Settings): NodeCounts {
  const before = readTopology(settings)?.counts;
  return {
    'dr-source': Math.max(before?.['dr-source'] ?? 1, settings.sourceNodes ?? 1),
    'dr-remote': Math.max(before?.['dr-remote'] ?? 1, settings.remoteNodes ?? 1),
  };
}

function makeClusters(settings: Settings, bin: string, counts: NodeCounts): LocalCluster[] {
  return clusterNames.map((name) => new LocalCluster(planCluster(name, counts[name], settings), bin));
}
