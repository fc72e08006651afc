import { describe, expect, test } from '@jest/globals';
import { heldBy, isFree, type Lease, type LeaseSpec, microTime, observe, released } from './lease-record.js';

const date = new Date('2026-01-02T03:04:05.678Z');

function lease(resourceVersion: string, spec?: LeaseSpec): Lease {
  const metadata = { name: 'l', namespace: 'n', resourceVersion };
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata,
    ...(spec === undefined ? {} : { spec }),
  };
}

describe('isFree', () => {
  const held: LeaseSpec = {
    holderIdentity: 'a',
    leaseDurationSeconds: 15,
    renewTime: microTime(new Date(0)),
  };

  test.each([
    ['held, just seen to change', held, 0, false],
    ['held, its duration has not passed', held, 15_000, false],
    ['held, its duration has passed', held, 15_001, true],
    ['given back', { ...held, holderIdentity: '' }, 0, true],
    ['without holder', { leaseDurationSeconds: 15 }, 0, true],
    ['without spec', undefined, 0, true],
    ['held without a duration', { holderIdentity: 'a' }, 1, true],
  ])('Given a lease %s, whatever the holder says of the time', (_name, spec, now, expected) => {
    expect(isFree(lease('1', spec), { resourceVersion: '1', seenAt: 0 }, now)).toBe(expected);
  });
});

describe('observe', () => {
  test('Given the same version, Then the time of the first sight stays', () => {
    const first = observe(undefined, lease('1'), 100);
    expect(observe(first, lease('1'), 200)).toEqual({ resourceVersion: '1', seenAt: 100 });
    expect(observe(first, lease('2'), 200)).toEqual({ resourceVersion: '2', seenAt: 200 });
  });
});

describe('heldBy', () => {
  const time = '2026-01-02T03:04:05.678000Z';

  test('Given no lease, Then it is acquired without a transition', () => {
    expect(heldBy('a', undefined, 14_500, date)).toEqual({
      ...{
        holderIdentity: 'a',
        leaseDurationSeconds: 15,
        acquireTime: time,
        renewTime: time,
        leaseTransitions: 0,
      },
    });
  });

  test('Given our own lease, Then only the renewal changes, and unknown fields stay', () => {
    const spec = {
      holderIdentity: 'a',
      leaseDurationSeconds: 15,
      acquireTime: 'x',
      renewTime: 'y',
      leaseTransitions: 3,
      strategy: 's',
    };
    expect(heldBy('a', spec, 15_000, date)).toEqual({ ...spec, renewTime: time });
  });

  test('Given the lease of another, Then that is a transition', () => {
    const spec = { holderIdentity: 'b', acquireTime: 'x', leaseTransitions: 3 };
    expect(heldBy('a', spec, 15_000, date)).toMatchObject({
      holderIdentity: 'a',
      acquireTime: time,
      leaseTransitions: 4,
    });
  });

  test('Given back, Then nobody holds it', () => {
    expect(released({ holderIdentity: 'a', leaseTransitions: 3 }, date)).toEqual({
      ...{ holderIdentity: '', leaseDurationSeconds: 1, renewTime: time, leaseTransitions: 3 },
    });
  });
});
