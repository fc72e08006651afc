import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { decide, type Present, type Rules, type Want } from './decide.js';

const ours = (fields: Partial<Present> = {}): Present => ({
  ...{ holder: 'us', hash: 'h', deleting: false, marked: false, drifted: false },
  ...fields,
});
const object: Want = { kind: 'object', hash: 'h' };
const gone: Want = { kind: 'gone' };
const rules = (fields: Partial<Rules> = {}): Rules => ({ drift: 'Repair', prune: false, ...fields });

describe('Given an object of the source', () => {
  test.each([
    ['not there', undefined, 'create'],
    ['as it should be', ours(), 'leave'],
    ['of an older source', ours({ hash: 'old' }), 'update'],
    ['marked, though the source is back', ours({ marked: true }), 'update'],
    ['changed by somebody else', ours({ drifted: true }), 'repair'],
    ['being deleted', ours({ deleting: true }), 'wait'],
    ['not ours', ours({ holder: 'nobody of DR-Syncer' }), 'refuse'],
    ["another Replication's, even with our hash", ours({ holder: 'another Replication' }), 'refuse'],
  ])('and a copy that is %s', (_title, present, decision) => {
    expect(decide(object, present, rules())).toBe(decision);
  });

  test('drift is reported where that is the policy, and an older copy is written all the same', () => {
    const report = rules({ drift: 'Report' });

    expect(decide(object, ours({ drifted: true }), report)).toBe('report');
    expect(decide(object, ours({ drifted: true, hash: 'old' }), report)).toBe('update');
  });
});

describe('Given a source that is gone', () => {
  test.each([
    ['a copy of ours', ours(), false, 'keep'],
    ['a copy of ours, pruning', ours(), true, 'prune'],
    ['a copy that is going already', ours({ deleting: true }), true, 'forget'],
    ['an object of somebody else', ours({ holder: 'nobody of DR-Syncer' }), true, 'forget'],
    ['nothing', undefined, true, 'forget'],
  ])('and %s', (_title, present, prune, decision) => {
    expect(decide(gone, present, rules({ prune }))).toBe(decision);
  });

  test('one that is only excluded is never pruned', () => {
    expect(decide({ kind: 'excluded' }, ours(), rules({ prune: true }))).toBe('keep');
  });
});

test('what is not ours is never written, and never pruned; what is as it should be neither', () => {
  const want = fc.oneof(
    fc.record({ kind: fc.constant('object' as const), hash: fc.constantFrom('h', 'g') }),
    fc.constantFrom<Want>({ kind: 'gone' }, { kind: 'excluded' }),
  );
  const present = fc.record({
    holder: fc.constantFrom('us' as const, 'another Replication' as const, 'nobody of DR-Syncer' as const),
    hash: fc.constantFrom('h', 'g', undefined),
    ...{ deleting: fc.boolean(), marked: fc.boolean(), drifted: fc.boolean() },
  });
  const all = fc.record({
    drift: fc.constantFrom('Repair' as const, 'Report' as const),
    prune: fc.boolean(),
  });

  fc.assert(
    fc.property(want, present, all, (w, p, r) => {
      const decision = decide(w, p, r);
      if (p.holder !== 'us') expect(['refuse', 'wait', 'forget']).toContain(decision);
      if (decision === 'prune') expect([w.kind, p.holder, r.prune]).toEqual(['gone', 'us', true]);
      if (decision === 'create') throw new Error('something is there');
    }),
  );
});
