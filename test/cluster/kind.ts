import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { givenCluster } from './given-cluster.js';
import { run } from './process/run.js';
import type { Settings } from './settings.js';
import type { TestCluster, TestClusters } from './test-cluster.js';

// Written from kind's documentation and not tried: the machine on which this was built has no Docker engine.
// The class names are kind's own, so source and remote don't differ in them.

const names = ['dr-source', 'dr-remote'] as const;

/** Whether a Docker engine answers and kind is installed. */
export async function kindIsUsable(): Promise<boolean> {
  const answers = (command: string, args: string[]): Promise<boolean> =>
    run(command, args, { signal: AbortSignal.timeout(10_000) }).then(
      () => true,
      () => false,
    );
  return (await answers('kind', ['version'])) && (await answers('docker', ['info']));
}

export async function upKindClusters(settings: Settings, kubectl: string): Promise<TestClusters> {
  const running = (await run('kind', ['get', 'clusters'])).stdout.split('\n');
  await mkdir(join(settings.cacheDir, 'kind'), { recursive: true });
  for (const name of names) {
    if (!running.includes(name)) await run('kind', ['create', 'cluster', '--name', name, '--wait', '120s']);
  }
  return {
    source: await kindCluster(settings, names[0], kubectl),
    remote: await kindCluster(settings, names[1], kubectl),
  };
}

export async function downKindClusters(): Promise<void> {
  for (const name of names) await run('kind', ['delete', 'cluster', '--name', name]);
}

async function kindCluster(settings: Settings, name: string, kubectl: string): Promise<TestCluster> {
  const kubeconfigPath = join(settings.cacheDir, 'kind', `${name}.kubeconfig`);
  // --internal: the address in the Docker network, which pods of the other cluster reach; so does a Linux host.
  await run('kind', ['export', 'kubeconfig', '--internal', '--name', name, '--kubeconfig', kubeconfigPath]);
  if (!existsSync(kubeconfigPath)) throw new Error(`kind wrote no kubeconfig for ${name}`);
  return givenCluster({
    name,
    kubeconfigPath,
    storageClass: 'standard',
    kubectl,
    load: async ({ layout, exactName }) => {
      const archive = join(settings.cacheDir, 'kind', `${name}.tar`);
      await layout.pack(exactName, archive);
      await run('kind', ['load', 'image-archive', archive, '--name', name]);
      await rm(archive);
    },
    exec: async (node, command) => (await run('docker', ['exec', node, ...command])).stdout,
  });
}
