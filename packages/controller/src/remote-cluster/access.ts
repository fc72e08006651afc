import { createHash } from 'node:crypto';

import { annotation, DrError, Secret } from '@dr-syncer/api';
import {
  type ClusterAccess,
  credentialValidity,
  type KubeClient,
  type KubeObject,
  parseKubeconfig,
  serviceAccountOf,
  type TokenSource,
  type Validity,
  wellKnown,
} from '@dr-syncer/kube';

export interface KubeconfigSecret extends KubeObject {
  data?: Record<string, string>;
}

/** What a kubeconfig Secret says about a remote cluster. */
export interface RemoteAccess {
  readonly access: ClusterAccess;
  /** Changes with everything but the token; says nothing about what is in it. */
  readonly fingerprint: string;
  readonly token: Secret | undefined;
  /** Of the credential that ends first. */
  readonly validity: Validity | undefined;
  /** The ServiceAccount of the token, when its owner allows that it is renewed. */
  readonly renewable: { readonly namespace: string; readonly name: string } | undefined;
  readonly secret: KubeconfigSecret;
}

export const KUBECONFIG_KEY = 'kubeconfig';

/**
 * Access to a remote cluster from the key "kubeconfig" of a Secret.
 *
 * @param known what was read before: of an unchanged Secret nothing is parsed again
 * @throws DrError KubeconfigSecretNotFound, KubeconfigRefused (naming the field, never its value); KubeError
 */
export async function readKubeconfigSecret(
  client: KubeClient,
  at: { namespace: string; name: string },
  signal: AbortSignal,
  known?: RemoteAccess,
): Promise<RemoteAccess> {
  const secret = await client.find<KubeconfigSecret>({ resource: wellKnown.secrets, ...at }, { signal });
  const where = `Secret ${at.namespace}/${at.name}`;
  if (secret === undefined) throw new DrError('KubeconfigSecretNotFound', `${where} does not exist`);
  if (known !== undefined && isSame(known.secret, secret)) return known;
  const data = secret.data?.[KUBECONFIG_KEY];
  if (data === undefined) {
    throw new DrError('KubeconfigSecretNotFound', `${where} has no key "${KUBECONFIG_KEY}"`);
  }
  const access = parseKubeconfig(Buffer.from(data, 'base64'));
  const token = access.token instanceof Secret ? access.token : undefined;
  const mayRenew = secret.metadata.annotations?.[annotation.renewToken] === 'true';
  return {
    ...{ access, token, secret },
    fingerprint: fingerprintOf(access),
    validity: credentialValidity(access),
    renewable: mayRenew && token !== undefined ? serviceAccountOf(token) : undefined,
  };
}

function isSame({ metadata: a }: KubeObject, { metadata: b }: KubeObject): boolean {
  return a.uid === b.uid && a.resourceVersion === b.resourceVersion;
}

function fingerprintOf({ server, ca, tlsServerName, cert, key, token }: ClusterAccess): string {
  const parts = [server, ca, tlsServerName, cert, key?.reveal(), token === undefined ? 'none' : 'token'];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** The token of a remote as its Secret has it now: a new one takes effect without a new connection. */
export class CurrentToken implements TokenSource {
  #token: Secret;

  constructor(token: Secret) {
    this.#token = token;
  }

  set(token: Secret): void {
    this.#token = token;
  }

  current(): Promise<Secret> {
    return Promise.resolve(this.#token);
  }
}
