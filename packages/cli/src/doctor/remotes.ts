import { isErrorCode, type RemoteCluster } from '@dr-syncer/api';
import {
  Cluster,
  expiryCondition,
  operatorContext,
  parseRemoteCluster,
  readKubeconfigSecret,
  remoteClusters,
} from '@dr-syncer/controller';
import {
  type ClusterAccess,
  credentialValidity,
  isNotFound,
  keyOf,
  type KubeClient,
  type KubeObject,
  kubeToDrError,
} from '@dr-syncer/kube';

import type { RemoteFlags } from '../remote-access.js';
import { notSeen } from './each-cluster.js';
import type { RemoteUnderTest } from './context.js';
import { type Finding, problem, well } from './problems.js';

const CHECK = 'kubeconfig';

/** The RemoteClusters with a connection to each that its kubeconfig gives one to. */
export interface OpenRemotes {
  readonly remotes: readonly RemoteUnderTest[];
  readonly findings: readonly Finding[];
  close(): Promise<void>;
}

/**
 * @param flags a kubeconfig of the person's own takes the place of that in the Secrets
 * @throws KubeError when RemoteClusters cannot be listed
 */
export async function openRemotes(
  client: KubeClient,
  flags: RemoteFlags,
  only: readonly string[],
  signal: AbortSignal,
): Promise<OpenRemotes> {
  const items = await listed(client, signal);
  const wanted = items.filter((object) => only.length === 0 || only.includes(object.metadata.name));
  const open: Cluster[] = [];
  const findings: Finding[] = [];
  const remotes: RemoteUnderTest[] = [];
  for (const object of wanted) {
    const key = keyOf(object);
    const parsed = parseRemoteCluster(object);
    if (!parsed.ok) {
      findings.push(problem('DefinitionOutdated', { check: CHECK, subject: key }, parsed.problem));
      continue;
    }
    const { access, finding } = await accessTo(client, key, parsed.value, flags, signal);
    findings.push(finding);
    if (access === undefined) {
      remotes.push({ key, remote: parsed.value });
      continue;
    }
    const cluster = new Cluster(access);
    open.push(cluster);
    remotes.push({ key, remote: parsed.value, access, client: cluster.client });
  }
  return {
    ...{ remotes, findings },
    close: async () => {
      await Promise.all(open.map((cluster) => cluster.close()));
    },
  };
}

async function accessTo(
  client: KubeClient,
  key: string,
  { metadata, spec }: RemoteCluster,
  { remoteKubeconfig, remoteContext }: RemoteFlags,
  signal: AbortSignal,
): Promise<{ access?: ClusterAccess; finding: Finding }> {
  const subject = `RemoteCluster ${key}`;
  const at = { check: CHECK, subject };
  try {
    const own =
      remoteKubeconfig === undefined ? undefined : await operatorContext([remoteKubeconfig], remoteContext);
    const secret = { namespace: metadata.namespace, name: spec.kubeconfigSecret };
    const { access, renewable } = await readKubeconfigSecret(client, secret, signal);
    const expiry = expiryCondition(credentialValidity(access), renewable && {}, new Date());
    const finding =
      expiry.status === 'True'
        ? problem('KubeconfigExpiring', at, expiry.message)
        : well(CHECK, subject, `${access.server}. ${expiry.message}`);
    return { access: own?.access ?? access, finding };
  } catch (err) {
    signal.throwIfAborted();
    const { code, message } = kubeToDrError(err);
    const known = code === 'KubeconfigSecretNotFound' || code === 'KubeconfigRefused';
    return {
      finding: known && isErrorCode(code) ? problem(code, at, message) : notSeen(CHECK, subject, err),
    };
  }
}

async function listed(client: KubeClient, signal: AbortSignal): Promise<KubeObject[]> {
  try {
    return (await client.list(remoteClusters, { signal })).items;
  } catch (err) {
    // Definitions that are missing are a finding of their own.
    if (isNotFound(err)) return [];
    throw err;
  }
}
