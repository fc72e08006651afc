import { replicationSchema } from '@dr-syncer/api';
import { describe, expect, test } from '@jest/globals';

import { checkAdmission, routeOf } from './rules.js';

function replication(namespace: string, spec: Record<string, unknown>) {
  return replicationSchema.parse({
    metadata: {
      name: 'r',
      namespace,
      uid: 'u',
      resourceVersion: '1',
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec: { destinationCluster: 'standby', ...spec },
  });
}

describe('Given a Replication in dr-syncer-system', () => {
  test('it may name any namespace, at both ends', () => {
    const route = routeOf(
      replication('dr-syncer-system', { sourceNamespace: 'shop', destinationNamespace: 'shop-dr' }),
    );

    expect(route).toEqual({
      remoteKey: 'dr-syncer-system/standby',
      sourceNamespace: 'shop',
      destinationNamespace: 'shop-dr',
    });
  });

  test.each(['kube-system', 'dr-syncer-system'])('but not %s', (sourceNamespace) => {
    expect(() => routeOf(replication('dr-syncer-system', { sourceNamespace }))).toThrow('system namespace');
  });
});

describe('Given a Replication of a tenant', () => {
  test('without any name it copies its own namespace to the same name', () => {
    expect(routeOf(replication('team-a', { destinationCluster: 'dr-syncer-system/standby' }))).toEqual({
      remoteKey: 'dr-syncer-system/standby',
      sourceNamespace: 'team-a',
      destinationNamespace: 'team-a',
    });
  });

  test('the namespace of another is refused as source', () => {
    expect(() => routeOf(replication('team-a', { sourceNamespace: 'team-b' }))).toThrow(
      'spec.sourceNamespace: team-b',
    );
  });

  test('in a shared cluster another namespace is refused as destination, in its own it is not', () => {
    const other = { destinationNamespace: 'team-b' };

    expect(() =>
      routeOf(replication('team-a', { ...other, destinationCluster: 'dr-syncer-system/s' })),
    ).toThrow('spec.destinationNamespace: team-b');
    expect(routeOf(replication('team-a', other)).destinationNamespace).toBe('team-b');
  });

  test.each([
    [undefined, false],
    [['team-b'], false],
    [['team-a'], true],
    [['*'], true],
  ])('a cluster that allows %j admits it: %s', (allowedNamespaces, admitted) => {
    const check = () =>
      checkAdmission(
        'dr-syncer-system/s',
        { ...(allowedNamespaces && { allowedNamespaces }) },
        replication('team-a', {}),
      );

    if (admitted) expect(check).not.toThrow();
    else expect(check).toThrow('spec.allowedNamespaces');
  });

  test.each(['customResourceDefinitions', 'namespaceLabels', 'namespaceAnnotations'])(
    'spec.clusterResources.%s is refused in a cluster that is shared',
    (field) => {
      const asking = replication('team-a', { clusterResources: { [field]: true } });
      const check = (remoteKey: string) => () =>
        checkAdmission(remoteKey, { allowedNamespaces: ['*'] }, asking);

      expect(check('dr-syncer-system/s')).toThrow(`spec.clusterResources.${field}`);
      expect(check('team-a/s')).not.toThrow();
    },
  );
});
