import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ensureKubeBinaries } from './binary.js';
import { givenCluster } from './given-cluster.js';
import { kindIsUsable, upKindClusters } from './kind.js';
import { findLocalClusters, upLocalClusters } from './local/local-clusters.js';
import { localTestCluster } from './local/local-test-cluster.js';
import type { LocalCluster } from './local/local-cluster.js';
import type { Settings } from './settings.js';
import type { LocalTestCluster, TestClusters } from './test-cluster.js';

export type Provider = 'given' | 'kind' | 'local';

/** The user's own clusters first, then kind, then clusters that need nothing but this machine. */
export async function chooseProvider(settings: Settings): Promise<Provider> {
  const { sourceKubeconfig, remoteKubeconfig } = settings;
  if (sourceKubeconfig !== undefined && remoteKubeconfig !== undefined) {
    const own = findLocalClusters(settings)?.map(({ kubeconfigPath }) => kubeconfigPath) ?? [];
    // `main.js env` exports the local clusters by the same variables.
    return own.includes(sourceKubeconfig) && own.includes(remoteKubeconfig) ? 'local' : 'given';
  }
  if (sourceKubeconfig !== undefined || remoteKubeconfig !== undefined) {
    throw new Error('SOURCE_KUBECONFIG and REMOTE_KUBECONFIG go together: only one of them is set');
  }
  if (findLocalClusters(settings) !== undefined) return 'local';
  return (await kindIsUsable()) ? 'kind' : 'local';
}

/** Has both clusters up, whichever way this machine allows. */
export async function ensureClusters(
  settings: Settings,
  report: (line: string) => void,
): Promise<TestClusters> {
  const provider = await chooseProvider(settings);
  if (provider === 'local') return ensureLocalClusters(settings, report);
  const kubectl = await findKubectl(settings, report);
  if (provider === 'kind') return upKindClusters(settings, kubectl);
  const given = (
    name: string,
    kubeconfigPath: string | undefined,
    variable: string,
  ): ReturnType<typeof givenCluster> =>
    givenCluster({
      name,
      kubeconfigPath: kubeconfigPath ?? '',
      storageClass: settings.env[variable] ?? 'standard',
      kubectl,
    });
  return {
    source: await given('source', settings.sourceKubeconfig, 'SOURCE_STORAGE_CLASS'),
    remote: await given('remote', settings.remoteKubeconfig, 'REMOTE_STORAGE_CLASS'),
  };
}

export async function ensureLocalClusters(
  settings: Settings,
  report: (line: string) => void,
): Promise<TestClusters<LocalTestCluster>> {
  const bin = await ensureKubeBinaries(settings, report);
  const [source, remote] = await upLocalClusters(settings, report);
  const view = (cluster: LocalCluster | undefined): Promise<LocalTestCluster> => {
    if (cluster === undefined) throw new Error('there are two local clusters');
    return localTestCluster(cluster, join(bin, 'kubectl'));
  };
  return { source: await view(source), remote: await view(remote) };
}

/** The machine's own kubectl, else ours, which takes minutes to build. */
async function findKubectl(settings: Settings, report: (line: string) => void): Promise<string> {
  const directories = (settings.env['PATH'] ?? '').split(':');
  const installed = directories
    .map((directory) => join(directory, 'kubectl'))
    .find((path) => existsSync(path));
  return installed ?? join(await ensureKubeBinaries(settings, report), 'kubectl');
}
