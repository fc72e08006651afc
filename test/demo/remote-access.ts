import { DemoFailure, eventsLook } from './failure.js';
import type { Kubectl } from './kubectl.js';
import { SYSTEM_NAMESPACE } from './standby.js';

interface ConfigView {
  readonly clusters: readonly {
    readonly cluster: { readonly server: string; readonly 'certificate-authority-data'?: string };
  }[];
}

interface EndpointSlices {
  readonly items: readonly {
    readonly endpoints: readonly { readonly addresses: readonly string[] }[] | null;
    readonly ports: readonly { readonly port: number }[];
  }[];
}

/**
 * A kubeconfig for the ServiceAccount that manifests/remote makes, as one hands it to dr-syncer: server, CA and a token
 * inline, nothing of the administrator's own credentials. The token is good for a day, which is enough for a demo.
 */
export async function remoteKubeconfig(remote: Kubectl): Promise<string> {
  const view = await remote.json<ConfigView>(['config', 'view', '--raw', '--minify', '--flatten']);
  const cluster = view.clusters[0]?.cluster;
  const ca = cluster?.['certificate-authority-data'];
  if (cluster === undefined || ca === undefined) {
    throw new DemoFailure(
      'REMOTE_KUBECONFIG has no cluster with a certificate authority in its current context',
    );
  }
  const account = ['create', 'token', 'dr-syncer-remote', '--namespace', SYSTEM_NAMESPACE, '--duration=24h'];
  const token = (await remote.run(account)).trim();
  const server = await reachableServer(remote, cluster.server);
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'remote', cluster: { server, 'certificate-authority-data': ca } }],
    users: [{ name: 'dr-syncer', user: { token } }],
    contexts: [{ name: 'remote', context: { cluster: 'remote', user: 'dr-syncer' } }],
    'current-context': 'remote',
  });
}

/** The server as pods of the other cluster reach it: kind, for one, writes a port of the host's loopback. */
async function reachableServer(remote: Kubectl, server: string): Promise<string> {
  const { hostname } = new URL(server);
  if (!['localhost', '[::1]'].includes(hostname) && !hostname.startsWith('127.')) return server;
  const own = [
    'get',
    'endpointslices',
    '--namespace',
    'default',
    '-l',
    'kubernetes.io/service-name=kubernetes',
  ];
  const slices = await remote.json<EndpointSlices>(own);
  const address = slices.items[0]?.endpoints?.[0]?.addresses[0];
  const port = slices.items[0]?.ports[0]?.port;
  if (address === undefined || port === undefined) {
    throw new DemoFailure(`no address of the remote API server but ${server}`, [
      eventsLook(remote, 'default'),
    ]);
  }
  return `https://${address.includes(':') ? `[${address}]` : address}:${port}`;
}
