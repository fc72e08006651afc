import { createPrivateKey } from 'node:crypto';
import { DrError, Secret } from '@dr-syncer/api';
import { type ClusterAccess, parseCertificates } from './cluster-access.js';
import { type Kubeconfig, type KubeconfigCluster, type KubeconfigUser, schema } from './kubeconfig-schema.js';
import { issuePaths } from './kubeconfig-issues.js';
import { parseUntrustedYaml, UntrustedYamlError } from './untrusted-yaml.js';

/**
 * Reads the kubeconfig of a RemoteCluster. Whoever may write that Secret is not trusted with the controller: a
 * kubeconfig can name commands to run, files to send and proxies to pass through, so only inline certificates and
 * tokens for an https server are let in, and every other field is refused by name. Nothing is run, opened or sent.
 *
 * @throws DrError KubeconfigRefused, naming each refused field by its path and never a value.
 */
export function parseKubeconfig(text: string | Uint8Array): ClusterAccess {
  const parsed = schema.safeParse(parseText(text));
  if (!parsed.success) throw refused(issuePaths(parsed.error.issues).join('; '));
  const { cluster, user } = chosenContext(parsed.data);
  return { ...clusterPart(cluster), ...userPart(user) };
}

/**
 * The kubeconfig with another token for the user of its current context, as JSON (which is YAML, and a kubeconfig to
 * every program). Comments and the order of fields are not kept.
 *
 * @throws DrError KubeconfigRefused: as `parseKubeconfig`, and when that user has no token
 */
export function withToken(text: string | Uint8Array, token: Secret): string {
  const parsed = schema.safeParse(parseText(text));
  if (!parsed.success) throw refused(issuePaths(parsed.error.issues).join('; '));
  const { data: config } = parsed;
  const { user } = chosenContext(config);
  if (user.value.token === undefined) throw refused(`${user.path} has no token to replace`);
  const users = config.users.map((one) =>
    one.user === user.value ? { ...one, user: { ...one.user, token: token.reveal() } } : one,
  );
  return JSON.stringify({ ...config, users }, undefined, 2);
}

interface Located<T> {
  readonly path: string;
  readonly value: T;
}

function refused(message: string): DrError {
  return new DrError('KubeconfigRefused', `kubeconfig refused: ${message}`);
}

function parseText(text: string | Uint8Array): unknown {
  try {
    return parseUntrustedYaml(text);
  } catch (err) {
    // Anything but our own error may quote the text (or be a RangeError of the parser's recursion).
    throw refused(
      err instanceof UntrustedYamlError ? `the text ${err.message}` : 'the text is not valid YAML',
    );
  }
}

function chosenContext(config: Kubeconfig): {
  cluster: Located<KubeconfigCluster>;
  user: Located<KubeconfigUser>;
} {
  const context = byName(config.contexts, 'contexts', config['current-context'], 'current-context');
  const path = `${context.path}.context`;
  const { cluster, user } = context.value.context;
  const foundCluster = byName(config.clusters, 'clusters', cluster, `${path}.cluster`);
  const foundUser = byName(config.users, 'users', user, `${path}.user`);
  return {
    cluster: { path: `${foundCluster.path}.cluster`, value: foundCluster.value.cluster },
    user: { path: `${foundUser.path}.user`, value: foundUser.value.user },
  };
}

/** The one entry called `name`; none or several of them leave open what was meant, and that is refused. */
function byName<T extends { name: string }>(
  entries: readonly T[],
  field: string,
  name: string,
  reference: string,
): Located<T> {
  const found = entries.flatMap((value, index) =>
    value.name === name ? [{ path: `${field}[${index}]`, value }] : [],
  );
  const [first] = found;
  if (first === undefined) throw refused(`${reference} names no entry of ${field}`);
  if (found.length > 1) throw refused(`${reference} names ${found.length} entries of ${field}`);
  return first;
}

function clusterPart({
  path,
  value,
}: Located<KubeconfigCluster>): Pick<ClusterAccess, 'server' | 'ca' | 'tlsServerName'> {
  const server = serverUrl(value.server, `${path}.server`);
  const authority = value['certificate-authority-data'];
  const serverName = value['tls-server-name'];
  return {
    server,
    ...(authority === undefined ? {} : { ca: certificates(authority, `${path}.certificate-authority-data`) }),
    ...(serverName === undefined ? {} : { tlsServerName: serverName }),
  };
}

function userPart({ path, value }: Located<KubeconfigUser>): Pick<ClusterAccess, 'token' | 'cert' | 'key'> {
  const { token, 'client-certificate-data': certData, 'client-key-data': keyData } = value;
  if (token === undefined && certData === undefined && keyData === undefined) {
    throw refused(`${path} has neither token nor client-certificate-data`);
  }
  return {
    ...(token === undefined ? {} : { token: new Secret(token) }),
    ...(certData === undefined && keyData === undefined ? {} : clientPair(path, certData, keyData)),
  };
}

function clientPair(
  path: string,
  certData: string | undefined,
  keyData: string | undefined,
): { cert: string; key: Secret } {
  if (certData === undefined)
    throw refused(`${path}.client-certificate-data is missing beside client-key-data`);
  if (keyData === undefined)
    throw refused(`${path}.client-key-data is missing beside client-certificate-data`);
  const cert = certificates(certData, `${path}.client-certificate-data`);
  const key = new Secret(base64Text(keyData, `${path}.client-key-data`));
  let matches: boolean;
  try {
    matches = parseCertificates(cert)[0]?.checkPrivateKey(createPrivateKey(key.reveal())) ?? false;
  } catch {
    // OpenSSL's reason is left out: it can't help and nobody has shown that it never quotes its input.
    throw refused(`${path}.client-key-data is not an unencrypted PEM private key`);
  }
  if (!matches) throw refused(`${path}.client-key-data does not belong to client-certificate-data`);
  return { cert, key };
}

function serverUrl(text: string, path: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw refused(`${path} is not a URL`);
  }
  if (url.protocol !== 'https:') throw refused(`${path} is not an https URL`);
  if (url.username !== '' || url.password !== '') throw refused(`${path} holds credentials`);
  if (url.search !== '' || url.hash !== '') throw refused(`${path} has a query or a fragment`);
  return url.origin + url.pathname.replace(/\/+$/, '');
}

function certificates(data: string, path: string): string {
  const pem = base64Text(data, path);
  let count: number;
  try {
    count = parseCertificates(pem).length;
  } catch {
    count = 0;
  }
  if (count === 0) throw refused(`${path} holds no valid PEM certificate`);
  return pem;
}

/** Strict base64 (RFC 4648 section 4); white space is allowed, as folded YAML scalars have it. */
function base64Text(data: string, path: string): string {
  const compact = data.replace(/\s+/g, '');
  const bytes = Buffer.from(compact, 'base64');
  if (compact === '' || bytes.toString('base64') !== compact) throw refused(`${path} is not base64`);
  return bytes.toString('latin1');
}
