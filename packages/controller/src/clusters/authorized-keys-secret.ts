import { isDeepStrictEqual } from 'node:util';

import { FIELD_MANAGER } from '@dr-syncer/api';
import { type KubeClient, type KubeObject, wellKnown } from '@dr-syncer/kube';

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

/**
 * Puts this controller's lines into the authorized_keys that the agents of a cluster read. Lines of other controllers,
 * which use the same cluster as their standby, stay: each is known by the owner in its comment.
 *
 * @returns the owners of all lines, and a text that changes with the Secret
 */
export async function ensureAuthorizedKeys(
  client: KubeClient,
  at: { namespace: string; name: string },
  entry: { owner: string; lines: readonly string[] },
  signal: AbortSignal,
): Promise<{ readonly owners: readonly string[]; readonly revision: string }> {
  const secret = await client.find<SecretObject>({ resource: wellKnown.secrets, ...at }, { signal });
  const before = secret === undefined ? '' : (decoded(secret, 'authorized_keys') ?? '');
  const after = mergeAuthorizedKeys(before, entry.owner, entry.lines);
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
 * Takes this controller's lines out again. The Secret goes with the last line, unless somebody wrote to it meanwhile.
 *
 * @returns whether keys of others are left
 * @throws KubeError: a conflict when it was changed meanwhile
 */
export async function removeAuthorizedKeys(
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

/** The text with the owner's lines, at the end, in place of its former ones. Comments end in `owner=<owner>`. */
export function mergeAuthorizedKeys(text: string, owner: string, lines: readonly string[]): string {
  const own = lines.map((line) => `${line} owner=${owner}`);
  const present = text.split('\n').filter((one) => one.trim() !== '');
  // As it is when nothing changes: those of others may stand behind.
  if (isDeepStrictEqual(present.filter(belongsTo(owner)), own)) return `${present.join('\n')}\n`;
  return `${[...withoutOwner(text, owner), ...own].join('\n')}\n`;
}

function withoutOwner(text: string, owner: string): string[] {
  const its = belongsTo(owner);
  return text.split('\n').filter((one) => one.trim() !== '' && !its(one));
}

function belongsTo(owner: string): (line: string) => boolean {
  return (line) => line.endsWith(` owner=${owner}`);
}
