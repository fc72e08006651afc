import {
  operatorContext,
  parseRemoteCluster,
  readKubeconfigSecret,
  remoteClusters,
} from '@dr-syncer/controller';
import type { ClusterAccess, KubeClient } from '@dr-syncer/kube';
import type { Command } from 'commander';

import { CommandFailure } from './failure.js';

export interface RemoteFlags {
  readonly remoteKubeconfig?: string;
  readonly remoteContext?: string;
}

/** Adds the options that say which kubeconfig is for the remote. */
export function remoteFlags(command: Command): Command {
  return command
    .option('--remote-kubeconfig <file>', "kubeconfig for the remote cluster (default: the RemoteCluster's)")
    .option('--remote-context <name>', 'context in it (default: the current one)');
}

/**
 * Access to the remote cluster: by the person's own kubeconfig where one is named, else as the controller has it, which
 * takes the right to read that Secret.
 *
 * @param key `namespace/name` of the RemoteCluster
 * @throws CommandFailure, DrError, KubeError
 */
export async function remoteAccess(
  client: KubeClient,
  key: string,
  { remoteKubeconfig, remoteContext }: RemoteFlags,
  signal: AbortSignal,
): Promise<ClusterAccess> {
  if (remoteKubeconfig !== undefined) {
    return (await operatorContext([remoteKubeconfig], remoteContext)).access;
  }
  const [namespace = '', name = ''] = key.split('/');
  const object = await client.get({ resource: remoteClusters, namespace, name }, { signal });
  const parsed = parseRemoteCluster(object);
  if (!parsed.ok) throw new CommandFailure(`RemoteCluster ${key}: ${parsed.problem}`);
  const secret = { namespace, name: parsed.value.spec.kubeconfigSecret };
  return (await readKubeconfigSecret(client, secret, signal)).access;
}
