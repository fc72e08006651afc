import { describe, expect, test } from '@jest/globals';

import { type Orphan, planPrune, type PruneRules } from './prune-guard.js';

const NOW = 1_000_000_000;
const rules = (fields: Partial<PruneRules> = {}): PruneRules => ({
  ...{ graceSeconds: 300, maxObjects: 20, maxPercent: 25, claims: false, ...fields },
});
const orphan = (key: string, goneForSeconds?: number, isClaim = false): Orphan => ({
  ...{ key, isClaim },
  goneSince: goneForSeconds === undefined ? undefined : NOW - goneForSeconds * 1000,
});
const many = (count: number, seconds = 301): Orphan[] =>
  Array.from({ length: count }, (_one, i) => orphan(`configmaps/${i}`, seconds));
const keys = (list: readonly Orphan[]) => list.map(({ key }) => key);
const plan = (
  orphans: Orphan[],
  { owned = 100, confirmed, ...fields }: Partial<PruneRules> & { owned?: number; confirmed?: string } = {},
) => planPrune(orphans, owned, rules(fields), confirmed, NOW);

describe('Given objects whose source is gone', () => {
  test('they are marked first, then wait for their grace, then go', () => {
    const result = plan([orphan('a'), orphan('b', 100), orphan('c', 300)]);

    expect(keys(result.mark)).toEqual(['a']);
    expect(keys(result.remove)).toEqual(['c']);
    expect(result.nextAt).toBe(NOW + 200_000);
    expect(result.held).toBeUndefined();
  });

  test('without a grace they go without a mark', () => {
    expect(plan([orphan('a')], { graceSeconds: 0 })).toMatchObject({ mark: [], remove: [{ key: 'a' }] });
  });

  test('a mark of the future, by a clock that is ahead, is waited for', () => {
    expect(plan([orphan('a', -60)])).toMatchObject({ remove: [], nextAt: NOW + 360_000 });
  });
});

describe('Given the guard', () => {
  test.each([
    ['as many as are let', 20, 100, 20],
    ['one more', 21, 100, 0],
    ['a quarter of a small standby', 2, 8, 2],
    ['more than a quarter of it', 3, 8, 0],
    ['the only one', 1, 1, 1],
    ['both that there are', 2, 2, 0],
  ])('%s', (_title, count, owned, removed) => {
    const result = plan(many(count), { owned });

    expect(result.remove).toHaveLength(removed);
    expect(result.held === undefined).toBe(removed > 0);
  });

  test('a yes counts for exactly the objects it was given for', () => {
    const thirty = many(30);
    const { held } = plan(thirty);
    const confirmed = held?.token ?? '';

    expect(plan([...thirty].reverse(), { confirmed }).remove).toHaveLength(30);
    expect(plan([...thirty, orphan('configmaps/more', 400)], { confirmed }).remove).toHaveLength(0);
    expect(plan(thirty, { confirmed: 'yes' }).remove).toHaveLength(0);
  });
});

describe('Given claims', () => {
  const claim = orphan('persistentvolumeclaims/data', 400, true);

  test('they stay', () => {
    expect(plan([claim])).toMatchObject({ mark: [], remove: [], held: undefined });
  });

  test('asked for, they wait for a yes while others go', () => {
    const asked = plan([claim, orphan('configmaps/a', 400)], { claims: true });

    expect(keys(asked.remove)).toEqual(['configmaps/a']);
    expect(keys(asked.held?.orphans ?? [])).toEqual([claim.key]);
    const confirmed = asked.held?.token ?? '';
    expect(keys(plan([claim], { claims: true, confirmed }).remove)).toEqual([claim.key]);
  });
});
