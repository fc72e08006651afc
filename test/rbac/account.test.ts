import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';

import { describePermission, type Permission, permissionsOf } from './rules.js';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const parsed = (text: string): KubeObject[] =>
  parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
const manifest = async (path: string) => parsed(await readFile(join(root, 'manifests', path), 'utf8'));

/** What the command line would make. */
async function made(...args: string[]): Promise<KubeObject[]> {
  const program = join(root, 'packages/cli/dist/main.js');
  const { stdout } = await run(process.execPath, [program, 'kubeconfig', 'create', '--dry-run', ...args]);
  return parsed(stdout);
}

/** Whatever the role is called. */
const lines = (permissions: readonly Permission[]): string[] =>
  permissions.map((one) => describePermission({ ...one, role: '' }) + (one.names ?? []).join()).sort();
const ofKind = (objects: readonly KubeObject[], kind: string, namespace?: string) =>
  permissionsOf(objects.filter((one) => one.kind === kind && one.metadata.namespace === namespace));

describe('Given the account that the command line makes in a remote', () => {
  test('Then it may do what that of manifests/remote may, which is held against what is asked for', async () => {
    expect(lines(permissionsOf(await made()))).toEqual(
      lines(permissionsOf(await manifest('remote/rbac.yaml'))),
    );
  });

  test('When it is held to namespaces Then it may do what that of the component may', async () => {
    const [objects, folder] = [await made('--namespaces', 'shop'), 'components/named-namespaces-remote'];
    const pairs = [
      [ofKind(objects, 'ClusterRole'), await manifest(`${folder}/cluster-role.yaml`)],
      [ofKind(objects, 'Role', 'dr-syncer-system'), await manifest(`${folder}/role.yaml`)],
      [ofKind(objects, 'Role', 'shop'), await manifest(`${folder}/namespace-role.yaml`)],
    ] as const;
    for (const [permissions, expected] of pairs) {
      expect(lines(permissions)).toEqual(lines(permissionsOf(expected)));
    }
  });
});
