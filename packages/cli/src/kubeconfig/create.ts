import { annotation, DrError, REMOTE_SERVICE_ACCOUNT, SYSTEM_NAMESPACE } from '@dr-syncer/api';
import { isNotFound, type KubeObject, parseKubeconfig, wellKnown } from '@dr-syncer/kube';
import { Command, InvalidArgumentError } from 'commander';
import { stringify } from 'yaml';

import { type ClusterFlags, clusterFlags, type PersonsCluster, withCluster } from '../cluster-flags.js';
import { CommandFailure, UsageError } from '../failure.js';
import type { Surroundings } from '../surroundings.js';
import { parseNamespaces } from './names.js';
import { type RemoteObject, remoteObjects } from './rbac.js';

/** Fields that a person's command wrote, apart from those of the controller. */
const FIELD_MANAGER = 'dr-syncer-cli';
const DAY_SECONDS = 86_400;
/** The API server takes no less (`ValidateTokenRequest`). */
const MIN_SECONDS = 600;

interface CreateFlags extends ClusterFlags {
  readonly namespaces?: string[];
  readonly duration: number;
  readonly server?: string;
  readonly name?: string;
  readonly secretNamespace: string;
  readonly applyTo?: string;
  readonly renew: boolean;
  readonly dryRun?: boolean;
}

interface TokenRequest extends KubeObject {
  status?: { token?: string; expirationTimestamp?: string };
}

export function createCommand(around: Surroundings): Command {
  const command = new Command('create')
    .description('make the account dr-syncer-remote in a remote cluster, and a Secret with its kubeconfig')
    .option(
      '--namespaces <names>',
      'limit the account to these (a,b); default: the whole cluster',
      parseNamespaces,
    )
    .option(
      '--duration <time>',
      'life of the token (30d, 12h, 30m); the server may shorten it',
      parseDuration,
      30 * DAY_SECONDS,
    )
    .option(
      '--server <url>',
      'address of the API server as the controller reaches it (default: that of the context)',
    )
    .option('--name <name>', 'of the Secret (default: the name of the context with "-kubeconfig")')
    .option('--secret-namespace <name>', 'namespace of the Secret and its RemoteCluster', SYSTEM_NAMESPACE)
    .option('--apply-to <context>', 'put the Secret into this cluster instead of printing it')
    .option('--no-renew', 'do not let the controller renew the token')
    .option('--dry-run', 'print what would be made in the remote cluster, and make nothing');
  return clusterFlags(command)
    .addHelpText(
      'after',
      "\nThe Secret is printed with the token in it: pipe it into kubectl, or use --apply-to. With renewal the controller\nasks for a new token at half of the old one's life and writes it into the Secret.",
    )
    .action((flags: CreateFlags) => create(flags, around));
}

async function create(flags: CreateFlags, around: Surroundings): Promise<void> {
  if (flags.namespace !== undefined) {
    throw new UsageError('--namespace has no meaning here: use --namespaces or --secret-namespace');
  }
  const objects = remoteObjects(flags.namespaces ?? []);
  if (flags.dryRun === true) {
    around.out(objects.map(({ object }) => `---\n${stringify(object)}`).join(''));
    return;
  }
  const secret = await withCluster(around, flags, async (remote, signal) => {
    const options = { ...flags, name: flags.name ?? `${dnsName(remote.context)}-kubeconfig` };
    // Before anything is made: the address may be one that is of no use.
    serverOf(flags, remote);
    await applyAll(remote, objects, signal);
    const made = await makeSecret(options, remote, signal);
    around.err(
      `ServiceAccount ${SYSTEM_NAMESPACE}/${REMOTE_SERVICE_ACCOUNT} is in place; its token ends at ${made.until}.\n`,
    );
    return made.secret;
  });
  if (flags.applyTo === undefined) {
    around.out(stringify(secret, { aliasDuplicateObjects: false }));
    return;
  }
  await withCluster(around, { ...flags, context: flags.applyTo }, (source, signal) =>
    source.client.apply(wellKnown.secrets, secret, { fieldManager: FIELD_MANAGER, force: true, signal }),
  );
  around.err(
    `Secret ${flags.secretNamespace}/${secret.metadata.name} is in the cluster of context ${flags.applyTo}.\n`,
  );
}

export interface SecretOptions {
  readonly name: string;
  readonly secretNamespace: string;
  /** Life of the token (s). */
  readonly duration: number;
  /** Address of the API server, where that of the context is not the one to use. */
  readonly server?: string | undefined;
  /** Whether the controller may renew the token. */
  readonly renew: boolean;
}

/**
 * A token of the account in the remote, as the Secret that a RemoteCluster names.
 *
 * @throws CommandFailure when no kubeconfig that would be accepted can be made; KubeError
 */
export async function makeSecret(
  options: SecretOptions,
  remote: PersonsCluster,
  signal: AbortSignal,
): Promise<{ readonly secret: KubeObject; readonly until: string }> {
  const server = serverOf(options, remote);
  const { token, until } = await issueToken(remote, options.duration, signal);
  return { secret: secretOf(options, kubeconfigText(server, remote, token)), until };
}

/** Namespaces that are there are left as they are: their labels are somebody's decision. */
async function applyAll(
  remote: PersonsCluster,
  objects: readonly RemoteObject[],
  signal: AbortSignal,
): Promise<void> {
  for (const { resource, object } of objects) {
    if (resource === wellKnown.namespaces) {
      const present = await remote.client.find({ resource, name: object.metadata.name }, { signal });
      if (present !== undefined) continue;
    }
    await remote.client.apply(resource, object, { fieldManager: FIELD_MANAGER, force: true, signal });
  }
}

async function issueToken(
  remote: PersonsCluster,
  expirationSeconds: number,
  signal: AbortSignal,
): Promise<{ token: string; until: string }> {
  const request = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    metadata: { name: REMOTE_SERVICE_ACCOUNT, namespace: SYSTEM_NAMESPACE },
    spec: { expirationSeconds },
  };
  try {
    const { status } = await remote.client.create<TokenRequest>(wellKnown.serviceAccounts, request, {
      subresource: 'token',
      signal,
    });
    if (status?.token !== undefined)
      return { token: status.token, until: status.expirationTimestamp ?? 'no time' };
  } catch (err) {
    if (!isNotFound(err)) throw err;
  }
  throw new CommandFailure('the server issues no tokens for ServiceAccounts');
}

export function serverOf({ server }: Pick<SecretOptions, 'server'>, remote: PersonsCluster): string {
  const text = server ?? remote.server;
  const { hostname, protocol } = new URL(text);
  if (protocol !== 'https:') throw new UsageError(`--server: ${text} is not an https URL`);
  if (server === undefined && /^(localhost|127\..*|\[::1\])$/.test(hostname)) {
    throw new CommandFailure(
      `the context's server ${text} is an address of this machine alone: use --server with one that the controller reaches`,
    );
  }
  return text.replace(/\/+$/, '');
}

function kubeconfigText(server: string, { ca, tlsServerName }: PersonsCluster, token: string): string {
  const cluster = {
    server,
    ...(ca !== undefined && { 'certificate-authority-data': Buffer.from(ca).toString('base64') }),
    ...(tlsServerName !== undefined && { 'tls-server-name': tlsServerName }),
  };
  const text = JSON.stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'remote', cluster }],
      users: [{ name: REMOTE_SERVICE_ACCOUNT, user: { token } }],
      contexts: [{ name: 'remote', context: { cluster: 'remote', user: REMOTE_SERVICE_ACCOUNT } }],
      'current-context': 'remote',
    },
    undefined,
    2,
  );
  try {
    parseKubeconfig(text);
  } catch (err) {
    const why = err instanceof DrError ? err.message : 'it cannot be read back';
    throw new CommandFailure(`the kubeconfig would not be accepted: ${why}`, { cause: err });
  }
  return text;
}

function secretOf({ name, secretNamespace, renew }: SecretOptions, kubeconfig: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name,
      namespace: secretNamespace,
      labels: { 'app.kubernetes.io/part-of': 'dr-syncer' },
      ...(renew && { annotations: { [annotation.renewToken]: 'true' } }),
    },
    type: 'Opaque',
    data: { kubeconfig: Buffer.from(kubeconfig).toString('base64') },
  };
}

/** Contexts may be called anything, `arn:aws:eks:...` for one. */
export function dnsName(text: string): string {
  const name = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 200);
  return name === '' ? 'remote' : name;
}

const units = { s: 1, m: 60, h: 3600, d: DAY_SECONDS } as const;

/** @returns seconds */
export function parseDuration(text: string): number {
  const match = /^(\d{1,9})([smhd])$/.exec(text);
  const seconds = Number(match?.[1]) * units[(match?.[2] ?? 's') as keyof typeof units];
  if (match === null || seconds < MIN_SECONDS || seconds >= 2 ** 32) {
    throw new InvalidArgumentError('Use a time like 30d, 12h or 30m, of ten minutes at least.');
  }
  return seconds;
}
