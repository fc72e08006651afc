import { annotation } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { isActive, ownUids, recordOf, withClaimant } from './standby-record.js';

const namespace = (annotations: Record<string, string> = {}): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', annotations } },
});
const claimant = (fields: Partial<Parameters<typeof withClaimant>[1]> = {}) => ({
  ...{ sourceCluster: 'c1', sourceNamespace: 'shop', replication: 'sys/r', uid: 'u1', ...fields },
});

describe('Given a namespace at the destination', () => {
  test.each([
    [undefined, false],
    ['', false],
    ['false', false],
    ['true', true],
    ['True', true],
    // In doubt nothing is written.
    ['yes, since Tuesday', true],
  ])('with %j as annotation active it is active: %s', (value, expected) => {
    expect(isActive(namespace(value === undefined ? {} : { [annotation.active]: value }))).toBe(expected);
  });

  test('who comes first has it, and has it again', () => {
    const record = withClaimant(recordOf(namespace()), claimant(), 'shop');
    const read = recordOf(namespace({ [annotation.standby]: JSON.stringify(record) }));

    expect(read).toEqual(record);
    expect(withClaimant(record, claimant(), 'shop')).toBe(record);
  });

  test.each([
    ['another cluster', { sourceCluster: 'c2' }],
    ['another namespace', { sourceNamespace: 'other' }],
  ])('%s is refused', (_title, fields) => {
    const record = withClaimant(undefined, claimant(), 'shop');

    expect(() => withClaimant(record, claimant(fields), 'shop')).toThrow(
      expect.objectContaining({ code: 'DestinationOwned' }),
    );
  });

  test('a record that can not be read belongs to somebody', () => {
    expect(() => recordOf(namespace({ [annotation.standby]: 'mine!' }))).toThrow(
      expect.objectContaining({ code: 'DestinationOwned' }),
    );
  });

  test('a Replication made anew under its name has the objects of those before it, and no others', () => {
    let record = withClaimant(undefined, claimant(), 'shop');
    record = withClaimant(record, claimant({ replication: 'sys/other', uid: 'o1' }), 'shop');
    for (let i = 2; i < 20; i += 1) record = withClaimant(record, claimant({ uid: `u${i}` }), 'shop');

    const uids = ownUids(record, claimant({ uid: 'u19' }));
    expect([...uids]).toEqual(['u19', 'u18', 'u17', 'u16', 'u15', 'u14', 'u13', 'u12']);
    expect(ownUids(record, claimant({ replication: 'sys/other', uid: 'o1' }))).toEqual(new Set(['o1']));
  });
});
