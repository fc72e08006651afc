import type { KubeObject } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { requireDrill, requireDrillName } from './drill-copy.js';

const names = { name: 'shop-drill-a1b2c3', standby: 'shop' };
const namespace = (metadata: object): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'Namespace' },
  metadata: { name: names.name, ...metadata },
});

describe('Given the namespace that volumes are to be copied into', () => {
  test('When its name is that of a drill Then it may be looked at', () => {
    expect(() => requireDrillName('shop-drill-a1b2c3', 'shop')).not.toThrow();
  });

  test.each([
    'shop',
    'kube-system',
    'other-drill-a1b2',
    'shop-drill-',
    'shop-drill-a-b-c',
    'shop-drill-../x',
  ])('When it is %s Then it is refused by its name alone', (name) => {
    expect(() => requireDrillName(name, 'shop')).toThrow(expect.objectContaining({ code: 'DrillNotFound' }));
  });

  test('When it was made for a drill of this standby Then it is the one', () => {
    const made = namespace({ labels: { 'dr-syncer.io/drill-of': 'shop' } });
    expect(requireDrill(made, names)).toBe(made);
  });

  test.each([
    ['is not there', undefined],
    ['has no mark', namespace({})],
    ['was made for another standby', namespace({ labels: { 'dr-syncer.io/drill-of': 'bank' } })],
    [
      'is being deleted',
      namespace({ labels: { 'dr-syncer.io/drill-of': 'shop' }, deletionTimestamp: '2026-01-01T00:00:00Z' }),
    ],
  ])('When it %s Then nothing is copied', (_title, found) => {
    expect(() => requireDrill(found, names)).toThrow(expect.objectContaining({ code: 'DrillNotFound' }));
  });
});
