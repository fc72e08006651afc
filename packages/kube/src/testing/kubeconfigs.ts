import { stringify } from 'yaml';
import { issueCertificate } from './certificates.js';

export const SECRET_MARK = 'S3cr3tValueThatMustNeverShow';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

export const authority = issueCertificate({ commonName: 'kubeconfig authority', authority: true });
export const client = issueCertificate({ commonName: 'client', issuer: authority });

type Fields = Record<string, unknown>;

/** A kubeconfig that is accepted, with fields replaced; `undefined` removes one. */
export function kubeconfig(cluster: Fields = {}, user: Fields = {}, top: Fields = {}): string {
  return stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      preferences: {},
      'current-context': 'main',
      clusters: [
        {
          name: 'c',
          cluster: {
            server: 'https://10.0.0.1:6443',
            'certificate-authority-data': base64(authority.cert),
            ...cluster,
          },
        },
      ],
      contexts: [{ name: 'main', context: { cluster: 'c', user: 'u' } }],
      users: [{ name: 'u', user: { token: SECRET_MARK, ...user } }],
      ...top,
    },
    { aliasDuplicateObjects: false },
  );
}

export const certificateUser = {
  token: undefined,
  'client-certificate-data': base64(client.cert),
  'client-key-data': base64(client.key),
};
