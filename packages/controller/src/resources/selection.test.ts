import { describe, expect, test } from '@jest/globals';

import { requireKnown, selectFrom } from './selection.js';
import { servedType } from './testing/types.js';
import { typeName } from './type-names.js';

const served = [
  servedType('v1', 'ConfigMap'),
  servedType('v1', 'Secret'),
  servedType('v1', 'Pod'),
  servedType('v1', 'Namespace', { namespaced: false }),
  servedType('v1', 'Binding', { verbs: ['create'] }),
  servedType('apps/v1', 'Deployment'),
  servedType('networking.k8s.io/v1', 'Ingress'),
  servedType('postgresql.cnpg.io/v1', 'Cluster'),
  servedType('rook.io/v1beta1', 'Cluster'),
  servedType('shop.test/v1', 'Cart', { shortNames: ['cm', 'ca'] }),
];

const select = (spec: Parameters<typeof selectFrom>[1]) => {
  const { types, ...rest } = selectFrom(served, spec);
  return { types: types.map(({ plural, group }) => typeName(plural, group)), ...rest };
};

const everything = [
  ...['configmaps', 'secrets', 'deployments.apps', 'ingresses.networking.k8s.io'],
  ...['clusters.postgresql.cnpg.io', 'clusters.rook.io', 'carts.shop.test'],
];

describe('Given what a cluster serves', () => {
  test.each([[undefined], [[]], [['*']], [['configmaps', '*']]])(
    'When resourceTypes is %j Then all that can be copied is',
    (resourceTypes) => {
      const { types, unknown, refused } = select({ resourceTypes });
      expect([...types].sort()).toEqual([...everything].sort());
      expect({ unknown, refused }).toEqual({ unknown: [], refused: [] });
    },
  );

  test.each([
    ['configmaps', ['configmaps']],
    ['configmap', ['configmaps']],
    ['ConfigMap', ['configmaps']],
    ['CONFIGMAPS', ['configmaps']],
    [' cm ', ['configmaps', 'carts.shop.test']],
    ['CA', ['carts.shop.test']],
    ['deploy', ['deployments.apps']],
    ['Deployment.apps', ['deployments.apps']],
    ['deployments.v1.apps', ['deployments.apps']],
    ['deploy.apps', ['deployments.apps']],
    ['ing.networking.k8s.io', ['ingresses.networking.k8s.io']],
    // Of a name with two meanings none is passed over in silence.
    ['cluster', ['clusters.postgresql.cnpg.io', 'clusters.rook.io']],
    ['Cluster.rook.io', ['clusters.rook.io']],
    ['cluster.v1beta1.rook.io', ['clusters.rook.io']],
  ])('When %s is asked for Then it is %j', (name, expected) => {
    expect(select({ resourceTypes: [name] }).types).toEqual(expected);
    expect(select({ excludeResources: [{ kind: name }] }).types).toEqual(
      everything.filter((one) => !expected.includes(one)),
    );
  });

  test.each([
    [{ resourceTypes: ['unicorns', 'secrets'] }, ['unicorns']],
    [{ resourceTypes: ['deployments.example.com'] }, ['deployments.example.com']],
    [{ resourceTypes: ['.apps'] }, ['.apps']],
    [{ excludeResources: [{ kind: 'Unicorn', name: 'x' }, { kind: 'unicorn' }] }, ['Unicorn', 'unicorn']],
    [{ includeControlled: ['secretz'] }, ['secretz']],
  ])('When %j names what is not served Then it is named', (spec, unknown) => {
    const selection = selectFrom(served, spec);
    expect(selection.unknown).toEqual(unknown);
    expect(() => requireKnown(selection)).toThrow(`serves no type ${unknown.join(', ')}`);
  });

  test.each([
    ['pods', /pods is never copied: made again from their workload/],
    ['namespaces', /namespaces is not namespaced/],
    ['bindings', /bindings is never copied/],
  ])('When %s is asked for, which is never copied, Then that is said', (name, message) => {
    expect(() => requireKnown(selectFrom(served, { resourceTypes: ['secrets', name] }))).toThrow(message);
  });

  test('When what is never copied is excluded Then nobody minds', () => {
    expect(() => requireKnown(selectFrom(served, { excludeResources: [{ kind: 'pods' }] }))).not.toThrow();
  });
});
