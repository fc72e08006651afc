import type { RequestOptions } from 'node:https';

import { DrError, Secret } from '@dr-syncer/api';
import type { ClusterAccess } from '@dr-syncer/kube';

type Options = RequestOptions;

/**
 * Access by the kubeconfig of whoever starts the controller outside of a cluster: everything that kubectl understands,
 * exec plugins and files among it, which is why nothing from a Secret ever comes here.
 *
 * The client library is loaded only in this case: it costs a pod 70 MB that it has no use for.
 *
 * @throws DrError KubeconfigRefused
 */
export async function operatorAccess(path: string): Promise<ClusterAccess> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromFile(path);
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new DrError('KubeconfigRefused', `${path} has no current context`);
  const current = async (): Promise<Options> => {
    const options: Options = {};
    await config.applyToHTTPSOptions(options);
    return options;
  };
  const { ca, cert, key, headers } = await current();
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
