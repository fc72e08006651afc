import { DrError, FIELD_MANAGER, Secret } from '@dr-syncer/api';
import {
  type KubeClient,
  type KubeObject,
  refOf,
  type Validity,
  wellKnown,
  withToken,
} from '@dr-syncer/kube';

import { KUBECONFIG_KEY, type KubeconfigSecret } from './access.js';

interface TokenRequest extends KubeObject {
  status?: { token?: string; expirationTimestamp?: string };
}

/** The API server's own limits (`kube-apiserver`, ValidateTokenRequest): ten minutes to 2^32 seconds. */
const MIN_SECONDS = 600;
const DEFAULT_SECONDS = 86_400;

export interface RenewalRequest {
  readonly source: KubeClient;
  /** With the token that is to be replaced. */
  readonly remote: KubeClient;
  readonly account: { readonly namespace: string; readonly name: string };
  readonly secret: KubeconfigSecret;
  readonly validity: Validity;
}

/**
 * Has the remote issue a new token to the same ServiceAccount and writes it into the kubeconfig's Secret, unless that
 * was changed meanwhile. The old token stays good until its end: nothing that uses it is disturbed.
 *
 * @throws KubeError, DrError TokenRenewalFailed
 */
export async function renewToken(request: RenewalRequest, signal: AbortSignal): Promise<void> {
  const { source, remote, account, secret, validity } = request;
  const text = secret.data?.[KUBECONFIG_KEY] ?? '';
  const seconds =
    validity.from === undefined
      ? DEFAULT_SECONDS
      : Math.round((validity.until.getTime() - validity.from.getTime()) / 1000);
  const answer = await remote.create<TokenRequest>(
    wellKnown.serviceAccounts,
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: { ...account },
      spec: { expirationSeconds: Math.max(MIN_SECONDS, seconds) },
    },
    { subresource: 'token', signal },
  );
  const token = answer.status?.token;
  if (token === undefined) throw new DrError('TokenRenewalFailed', 'the remote answered without a token');
  const next = withToken(Buffer.from(text, 'base64'), new Secret(token));
  // With the version that was read: a kubeconfig that a person has put there meanwhile stays.
  const body = {
    metadata: { resourceVersion: secret.metadata.resourceVersion },
    data: { [KUBECONFIG_KEY]: Buffer.from(next).toString('base64') },
  };
  await source.patch(refOf(wellKnown.secrets, secret), body, 'merge', {
    fieldManager: FIELD_MANAGER,
    signal,
  });
}
