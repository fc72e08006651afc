import { readFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import type { Pki } from './pki.js';

/** A kubeconfig with everything inline, as users hand it to a RemoteCluster. */
export async function makeKubeconfig(
  pki: Pki,
  cluster: string,
  server: string,
  user: string,
): Promise<string> {
  const data = async (file: string): Promise<string> => (await readFile(pki.path(file))).toString('base64');
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': cluster,
    clusters: [{ name: cluster, cluster: { server, 'certificate-authority-data': await data('ca.crt') } }],
    contexts: [{ name: cluster, context: { cluster, user } }],
    users: [
      {
        name: user,
        user: {
          'client-certificate-data': await data(`${user}.crt`),
          'client-key-data': await data(`${user}.key`),
        },
      },
    ],
  });
}
