import { describe, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';

import { outcome } from '../testing/outcome.js';
import { parseDuration } from './create.js';

interface Shown {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly resourceNames?: readonly string[];
  }[];
}

async function shown(...args: string[]): Promise<Shown[]> {
  const { code, out } = await outcome(['kubeconfig', 'create', '--dry-run', ...args]);
  expect(code).toBe(0);
  return parseAllDocuments(out).map((document) => document.toJS() as Shown);
}

const names = (objects: readonly Shown[]): string[] =>
  objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`);

describe('Given the account for a remote cluster', () => {
  test('When it is for the whole cluster Then there is a ClusterRole', async () => {
    expect(names(await shown())).toEqual([
      'Namespace /dr-syncer-system',
      'ServiceAccount dr-syncer-system/dr-syncer-remote',
      'ClusterRole /dr-syncer-remote',
      'ClusterRoleBinding /dr-syncer-remote',
    ]);
  });

  test('When it is limited Then nothing outside of the namespaces can be written', async () => {
    const objects = await shown('--namespaces', 'shop,bank', '--namespaces', 'blog');

    expect(names(objects)).toEqual(
      expect.arrayContaining(['Role shop/dr-syncer-remote-ns', 'RoleBinding blog/dr-syncer-remote-ns']),
    );
    const clusterRole = objects.find(({ kind }) => kind === 'ClusterRole');
    const verbs = new Set(
      (clusterRole?.rules ?? []).flatMap((rule) => (rule as unknown as { verbs: string[] }).verbs),
    );
    expect([...verbs].sort()).toEqual(['get', 'list']);
    expect(JSON.stringify(clusterRole)).not.toContain('"*"');
  });

  test.each([
    [['--namespaces', 'Shop']],
    [['--namespaces', ',']],
    [['--duration', '5m']],
    [['--duration', 'long']],
    [['--dry-run', '--namespace', 'x']],
  ])('When it is asked for with %j Then that is wrong usage', async (args) => {
    expect((await outcome(['kubeconfig', 'create', ...args])).code).toBe(2);
  });

  test('When there is no kubeconfig of the person Then it says where it looked', async () => {
    const { code, err } = await outcome(['kubeconfig', 'create'], { HOME: '/nowhere' });

    expect(code).toBe(1);
    expect(err).toContain('/nowhere/.kube/config');
  });

  test('Then durations are understood', () => {
    expect(['30d', '12h', '10m', '86400s'].map(parseDuration)).toEqual([2_592_000, 43_200, 600, 86_400]);
  });
});
