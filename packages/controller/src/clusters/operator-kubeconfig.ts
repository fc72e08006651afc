import type { RequestOptions } from 'node:https';

import { DrError, Secret } from '@dr-syncer/api';
import type { ClusterAccess } from '@dr-syncer/kube';

type Options = RequestOptions;

export interface OperatorContext {
  readonly access: ClusterAccess;
  /** Name of the context that was chosen. */
  readonly context: string;
  /** Names of what it joins. */
  readonly entries: { readonly cluster: string; readonly user: string };
  /** The context's default namespace. */
  readonly namespace: string | undefined;
}

/**
 * Access by the kubeconfig of whoever starts the controller outside of a cluster: everything that kubectl understands,
 * exec plugins and files among it, which is why nothing from a Secret ever comes here.
 *
 * @throws DrError KubeconfigRefused
 */
export async function operatorAccess(path: string): Promise<ClusterAccess> {
  return (await operatorContext([path])).access;
}

/**
 * A context of a person's own kubeconfig files, merged as kubectl merges those of KUBECONFIG: the first file that
 * defines an entry wins.
 *
 * The client library is loaded only in this case: it costs a pod 70 MB that it has no use for.
 *
 * @param wanted name of the context; default: the current one
 * @throws DrError KubeconfigRefused, naming the file or context
 */
export async function operatorContext(paths: readonly string[], wanted?: string): Promise<OperatorContext> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const load = (path: string) => {
    const one = new KubeConfig();
    try {
      one.loadFromFile(path);
    } catch (err) {
      // The library's message may quote the file.
      throw new DrError('KubeconfigRefused', `${path} cannot be read as a kubeconfig`, { cause: err });
    }
    return one;
  };
  const [first, ...others] = paths.map(load);
  if (first === undefined) throw new DrError('KubeconfigRefused', 'no kubeconfig file was given');
  for (const other of others) first.mergeConfig(other, first.currentContext !== '');
  const where = paths.join(', ');
  if (wanted !== undefined) {
    if (first.getContextObject(wanted) === null) {
      const known = first.getContexts().map(({ name }) => name);
      throw new DrError(
        'KubeconfigRefused',
        `${where} has no context ${wanted}; it has ${known.slice(0, 20).join(', ') || 'none'}`,
      );
    }
    first.setCurrentContext(wanted);
  }
  const cluster = first.getCurrentCluster();
  if (cluster === null) throw new DrError('KubeconfigRefused', `${where} has no current context`);
  const current = async (): Promise<Options> => {
    const options: Options = {};
    await first.applyToHTTPSOptions(options);
    return options;
  };
  const entry = first.getContextObject(first.currentContext);
  return {
    access: accessOf(cluster, await current(), current),
    context: first.currentContext,
    entries: { cluster: cluster.name, user: entry?.user ?? '' },
    namespace: entry?.namespace,
  };
}

function accessOf(
  cluster: { server: string; tlsServerName?: string | undefined },
  { ca, cert, key, headers }: Options,
  current: () => Promise<Options>,
): ClusterAccess {
  const text = (value: unknown): string | undefined =>
    typeof value === 'string' ? value : Buffer.isBuffer(value) ? value.toString('utf8') : undefined;
  const [caText, certText, keyText] = [text(ca), text(cert), text(key)];
  const token = bearer(headers);
  return {
    server: cluster.server.replace(/\/+$/, ''),
    ...(caText !== undefined && { ca: caText }),
    ...(cluster.tlsServerName !== undefined && { tlsServerName: cluster.tlsServerName }),
    ...(certText !== undefined && keyText !== undefined && { cert: certText, key: new Secret(keyText) }),
    // Plugins renew their tokens; the library caches them until they expire.
    ...(token !== undefined && {
      token: { current: async () => bearer((await current()).headers) ?? token },
    }),
  };
}

/** The library sets its headers as an object, never as a list. */
function bearer(headers: Options['headers']): Secret | undefined {
  const value = (headers as Record<string, unknown> | undefined)?.['Authorization'];
  return typeof value === 'string' ? new Secret(value.replace(/^Bearer /, '')) : undefined;
}
