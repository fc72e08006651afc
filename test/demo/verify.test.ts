import { describe, expect, test } from '@jest/globals';

import type { KubeObject } from './kubectl.js';
import { shopObjects } from './shop.js';
import { objectDifferences } from './verify.js';

const mapping = { fast: 'standard-dr' };
const objects = shopObjects({ image: 'demo', storageClass: 'fast' });

function shopObject(kind: string, name: string): KubeObject {
  const found = objects.find((each) => each.kind === kind && each.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
}

/** The object as an API server of either cluster returns it. */
function stored(object: KubeObject, cluster: string, annotations: Record<string, string> = {}): KubeObject {
  return {
    ...object,
    metadata: {
      ...object.metadata,
      uid: cluster,
      resourceVersion: cluster,
      creationTimestamp: cluster,
      managedFields: [cluster],
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': cluster, ...annotations },
    },
    status: { of: cluster },
  };
}

function withSpec(object: KubeObject, change: Record<string, unknown>): KubeObject {
  return { ...object, spec: { ...(object['spec'] as object), ...change } };
}

const standby = { 'dr-syncer.io/original-replicas': '2', 'dr-syncer.io/desired-hash': 'x' };
const web = shopObject('Deployment', 'web');
const secret = shopObject('Secret', 'shop-credentials');
const db = shopObject('StatefulSet', 'db');
const claim: KubeObject = {
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'data-db-0', namespace: 'shop' },
  spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'fast', volumeName: 'a' },
};
const webService = shopObject('Service', 'web');

describe('Given a right copy', () => {
  test.each<[string, KubeObject, KubeObject]>([
    ['ConfigMap', shopObject('ConfigMap', 'shop-web'), shopObject('ConfigMap', 'shop-web')],
    ['Secret', secret, secret],
    ['Deployment', web, stored(withSpec(web, { replicas: 0 }), 'b', standby)],
    [
      'StatefulSet',
      db,
      stored(withSpec(db, { replicas: 0 }), 'b', { 'dr-syncer.io/original-replicas': '1' }),
    ],
    [
      'claim in the class of the remote',
      claim,
      withSpec(claim, { storageClassName: 'standard-dr', volumeName: 'b' }),
    ],
    [
      'Service with other addresses',
      withSpec(webService, { clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1'] }),
      withSpec(webService, { clusterIP: '10.9.0.1', clusterIPs: ['10.9.0.1'] }),
    ],
  ])('When it is a %s, Then there is no difference', (_, left, right) => {
    expect(
      objectDifferences(stored(left, 'a'), stored(right, 'b', right.metadata.annotations), mapping),
    ).toEqual([]);
  });
});

describe('Given a copy that is not right', () => {
  test.each<[string, KubeObject | undefined, KubeObject | undefined, string[]]>([
    ['is missing', web, undefined, ['is not in the remote']],
    ['has no source', undefined, web, ['is not in the source']],
    [
      'runs',
      web,
      stored(web, 'b'),
      ['.spec.replicas is 2, not 0', 'annotation dr-syncer.io/original-replicas is missing, not 2'],
    ],
    [
      'forgot how many there were',
      web,
      stored(withSpec(web, { replicas: 0 }), 'b', { 'dr-syncer.io/original-replicas': '1' }),
      ['annotation dr-syncer.io/original-replicas is 1, not 2'],
    ],
    [
      'has other data',
      shopObject('ConfigMap', 'shop-config'),
      { ...shopObject('ConfigMap', 'shop-config'), data: { greeting: 'Welcome', more: '1' } },
      ['.data.currency: "EUR" -> (none)', '.data.more: (none) -> "1"'],
    ],
    [
      'is a Secret with another value, which is not shown',
      secret,
      { ...secret, data: { password: 'b3RoZXI=', token: '//4AAQID' } },
      ['.data.password differs'],
    ],
    [
      'lost a label',
      secret,
      { ...secret, metadata: { ...secret.metadata, labels: {} } },
      ['.metadata.labels.shop differs'],
    ],
    [
      'is in the wrong class',
      claim,
      withSpec(claim, { storageClassName: 'slow' }),
      ['.spec.storageClassName: "standard-dr" -> "slow"'],
    ],
    [
      'is no longer headless',
      shopObject('Service', 'db'),
      withSpec(shopObject('Service', 'db'), { clusterIP: '10.0.0.1' }),
      ['.spec.headless: true -> false'],
    ],
  ])('When it %s, Then that is said', (_, left, right, lines) => {
    expect(objectDifferences(left, right, mapping)).toEqual(lines);
  });
});
