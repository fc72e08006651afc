import { DrError, FIELD_MANAGER } from '@dr-syncer/api';
import { isAlreadyExists, type KubeClient, type KubeObject, wellKnown } from '@dr-syncer/kube';
import { generateHostKey, generateRsaKey, parsePrivateKey, type PrivateKey } from '@dr-syncer/ssh';

interface SecretObject extends KubeObject {
  data?: Record<string, string>;
}

const partOf = { 'app.kubernetes.io/part-of': 'dr-syncer' };

/** Of a Secret's `data`. */
function decoded(secret: SecretObject, key: string): string | undefined {
  const value = secret.data?.[key];
  return value === undefined ? undefined : Buffer.from(value, 'base64').toString('utf8');
}

function encoded(data: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
  );
}

/** Creates the Secret, or returns the one that somebody else made at the same time. */
async function createOrGet(
  client: KubeClient,
  secret: SecretObject,
  signal: AbortSignal,
): Promise<SecretObject> {
  try {
    return await client.create<SecretObject>(wellKnown.secrets, secret, {
      signal,
      fieldManager: FIELD_MANAGER,
    });
  } catch (err) {
    if (!isAlreadyExists(err)) throw err;
    const { name, namespace } = secret.metadata;
    return client.get<SecretObject>({ resource: wellKnown.secrets, namespace, name }, { signal });
  }
}

export interface ClientKey {
  readonly key: PrivateKey;
  readonly createdAt: string | undefined;
}

/**
 * The controller's key in a Secret (`id_rsa`, `id_rsa.pub`): made when the Secret is missing, adopted when a valid one
 * is there, and never overwritten.
 *
 * @param comment goes into the public line; says whose key it is
 * @throws DrError KeyInvalid; KubeError
 */
export async function ensureClientKey(
  client: KubeClient,
  at: { namespace: string; name: string },
  comment: string,
  signal: AbortSignal,
): Promise<ClientKey> {
  let secret = await client.find<SecretObject>({ resource: wellKnown.secrets, ...at }, { signal });
  if (secret === undefined) {
    const key = await generateRsaKey(4096, `${comment} ${new Date().toISOString()}`);
    secret = await createOrGet(
      client,
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { ...at, labels: partOf },
        type: 'Opaque',
        data: encoded({ id_rsa: key.exportText(), 'id_rsa.pub': `${key.publicLine}\n` }),
      },
      signal,
    );
  }
  const text = decoded(secret, 'id_rsa');
  if (text === undefined) {
    throw new DrError('KeyInvalid', `Secret ${at.namespace}/${at.name} has no key "id_rsa"`);
  }
  const written = decoded(secret, 'id_rsa.pub')?.trim().split(' ').slice(2).join(' ');
  const key = parsePrivateKey(text, written ?? comment);
  if (key.type !== 'ssh-rsa') {
    throw new DrError('KeyInvalid', `Secret ${at.namespace}/${at.name}: id_rsa is not an RSA key`);
  }
  return { key, createdAt: secret.metadata.creationTimestamp };
}

export const hostKeyFiles = ['ssh_host_ed25519_key', 'ssh_host_rsa_key'] as const;

/**
 * The host keys of the agents of one cluster, in a Secret there and nowhere else. What comes back is the public half,
 * for pinning: it is as trustworthy as the API server that gave it, whose certificate was checked.
 *
 * @returns `ssh-ed25519 AAAA...` and `ssh-rsa AAAA...`
 * @throws DrError KeyInvalid; KubeError
 */
export async function ensureHostKeys(
  client: KubeClient,
  at: { namespace: string; name: string },
  signal: AbortSignal,
): Promise<readonly string[]> {
  let secret = await client.find<SecretObject>({ resource: wellKnown.secrets, ...at }, { signal });
  if (secret === undefined) {
    const [ed25519, rsa] = await Promise.all([
      generateHostKey('ed25519', 'dr-syncer-agent'),
      generateHostKey('rsa', 'dr-syncer-agent'),
    ]);
    const data = {
      ssh_host_ed25519_key: ed25519.exportText(),
      'ssh_host_ed25519_key.pub': `${ed25519.publicLine}\n`,
      ssh_host_rsa_key: rsa.exportText(),
      'ssh_host_rsa_key.pub': `${rsa.publicLine}\n`,
    };
    const metadata = { ...at, labels: partOf };
    secret = await createOrGet(
      client,
      { apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque', data: encoded(data) },
      signal,
    );
  }
  const lines = hostKeyFiles.map((file) =>
    decoded(secret, `${file}.pub`)?.trim().split(' ').slice(0, 2).join(' '),
  );
  if (lines.some((line) => line === undefined)) {
    throw new DrError(
      'KeyInvalid',
      `Secret ${at.namespace}/${at.name} lacks one of ${hostKeyFiles.join(', ')} (.pub)`,
    );
  }
  return lines.filter((line) => line !== undefined);
}

/**
 * Puts this controller's line into the authorized_keys that the agents of a cluster read. Lines of other controllers,
 * which use the same cluster as their standby, stay: each is known by the owner in its comment.
 *
 * @returns the owners of all lines, and a text that changes with the Secret
 */
export async function ensureAuthorizedKey(
  client: KubeClient,
  at: { namespace: string; name: string },
  entry: { owner: string; line: string },
  signal: AbortSignal,
): Promise<{ readonly owners: readonly string[]; readonly revision: string }> {
  const secret = await client.find<SecretObject>({ resource: wellKnown.secrets, ...at }, { signal });
  const before = secret === undefined ? '' : (decoded(secret, 'authorized_keys') ?? '');
  const after = mergeAuthorizedKeys(before, entry.owner, entry.line);
  const owners = [...after.matchAll(/ owner=(\S+)$/gm)].map(([, owner = '']) => owner);
  if (secret !== undefined && before === after) return { owners, revision: revisionOf(secret) };
  const data = encoded({ authorized_keys: after });
  if (secret === undefined) {
    const metadata = { ...at, labels: partOf };
    const created = await client.create(
      wellKnown.secrets,
      { apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque', data },
      { signal, fieldManager: FIELD_MANAGER },
    );
    return { owners, revision: revisionOf(created) };
  }
  // With the resourceVersion that was read: another controller's line is never lost, the loser comes again.
  const body = { metadata: { resourceVersion: secret.metadata.resourceVersion }, data };
  const patched = await client.patch({ resource: wellKnown.secrets, ...at }, body, 'merge', {
    signal,
    fieldManager: FIELD_MANAGER,
  });
  return { owners, revision: revisionOf(patched) };
}

function revisionOf(secret: KubeObject): string {
  return `${secret.metadata.uid ?? ''}.${secret.metadata.resourceVersion ?? ''}`;
}

/**
 * Takes this controller's line out again. The Secret goes with the last line, unless somebody wrote to it meanwhile.
 *
 * @returns whether keys of others are left
 * @throws KubeError: a conflict when it was changed meanwhile
 */
export async function removeAuthorizedKey(
  client: KubeClient,
  at: { namespace: string; name: string },
  owner: string,
  signal: AbortSignal,
): Promise<'none' | 'others'> {
  const ref = { resource: wellKnown.secrets, ...at };
  const secret = await client.find<SecretObject>(ref, { signal });
  if (secret === undefined) return 'none';
  const before = decoded(secret, 'authorized_keys') ?? '';
  const after = withoutOwner(before, owner);
  const { uid, resourceVersion } = secret.metadata;
  if (after.length === 0) {
    await client.delete(ref, { preconditions: { uid, resourceVersion }, signal });
    return 'none';
  }
  const text = `${after.join('\n')}\n`;
  if (text !== before) {
    const body = { metadata: { resourceVersion }, data: encoded({ authorized_keys: text }) };
    await client.patch(ref, body, 'merge', { signal, fieldManager: FIELD_MANAGER });
  }
  return 'others';
}

/** The text with the owner's line, at the place of its former one or at the end. Comments end in `owner=<owner>`. */
export function mergeAuthorizedKeys(text: string, owner: string, line: string): string {
  return `${[...withoutOwner(text, owner), `${line} owner=${owner}`].join('\n')}\n`;
}

function withoutOwner(text: string, owner: string): string[] {
  return text.split('\n').filter((one) => one.trim() !== '' && !one.endsWith(` owner=${owner}`));
}
