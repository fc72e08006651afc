import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../paths.js';
import { endProcess, findProcesses, type ProcessInfo } from '../process/proc.js';
import type { LocalCluster } from './local-cluster.js';

/** Milliseconds between two looks. A test that uses more volumes at once than the pool holds waits this long. */
const interval = 2000;

/** Recycles the volumes of all clusters for ever. An API server that is down, as tests want it, is no error. */
export async function recycleForever(findClusters: () => LocalCluster[] | undefined): Promise<void> {
  // Looked up each time: `up` may have added a node. None at all: `down` has been here.
  for (let clusters = findClusters(); clusters !== undefined; clusters = findClusters()) {
    await Promise.all(clusters.map((cluster) => cluster.recycleVolumes().catch(() => undefined)));
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
}

/** The background process that does it: `node test/dist/cluster/main.js recycle STATE_DIRECTORY`. */
export function ensureRecycler(stateDir: string): void {
  if (findRecycler(stateDir).length > 0) return;
  const main = join(repositoryRoot(), 'test/dist/cluster/main.js');
  if (!existsSync(main)) throw new Error('test/dist/cluster/main.js is missing: run `make build`');
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DR_SYNCER_CLUSTERS_DIR: stateDir };
  spawn(process.execPath, [main, 'recycle', stateDir], {
    detached: true,
    stdio: 'ignore',
    cwd: '/',
    env,
  }).unref();
}

export async function endRecycler(stateDir: string): Promise<void> {
  for (const process of findRecycler(stateDir)) await endProcess(process);
}

function findRecycler(stateDir: string): ProcessInfo[] {
  return findProcesses(({ argv }) => argv[2] === 'recycle' && argv[3] === stateDir);
}
