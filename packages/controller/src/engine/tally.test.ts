import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { type Counted, type Standing, Tally } from './tally.js';

const standings: readonly Standing[] = ['synced', 'failed', 'skipped', 'drifted', 'kept', 'pending'];
const item = (kind: string, name: string): Counted => ({
  ...{ kind, name, standing: 'pending', failure: undefined },
});
const failure = { code: 'ObjectRejected', message: 'no' } as const;

describe('Given a tally', () => {
  test('When objects move about Then the counts are those of a recount', () => {
    const move = fc.record({ i: fc.nat(11), standing: fc.constantFrom(...standings) });

    fc.assert(
      fc.property(fc.array(move, { maxLength: 60 }), (moves) => {
        const tally = new Tally();
        const items = Array.from({ length: 12 }, (_one, i) => item(`Kind${i % 3}`, `o${i}`));
        for (const one of items) tally.add(one);
        for (const { i, standing } of moves) {
          const one = items[i] ?? items[0]!;
          tally.move(one, standing, standing === 'failed' ? failure : undefined);
        }
        const count = (...of: Standing[]) => items.filter(({ standing }) => of.includes(standing)).length;

        expect(tally.stats()).toMatchObject({
          total: count('synced', 'failed', 'drifted', 'pending'),
          ...{ failed: count('failed'), skipped: count('skipped') },
        });
        expect([tally.failures, tally.pending, tally.drifted]).toEqual([
          ...[count('failed'), count('pending'), count('drifted')],
        ]);
        const byKind = tally.byKind();
        expect(byKind.reduce((sum, { synced }) => sum + synced, 0)).toBe(count('synced'));
        for (const one of items) tally.remove(one);
        expect(tally.stats()).toMatchObject({ total: 0, failed: 0 });
        expect(tally.byKind()).toEqual([]);
      }),
    );
  });

  test('When very much fails Then what it says stays small, and what failed comes first', () => {
    const tally = new Tally();
    for (let i = 0; i < 3000; i += 1) {
      const one = item(`Kind${String(i % 150).padStart(3, '0')}`, `o${i}`);
      tally.add(one);
      const message = 'x'.repeat(5000);
      tally.move(one, i % 150 > 140 ? 'failed' : 'synced', { code: 'ObjectRejected', message });
    }

    const kinds = tally.byKind();

    expect(kinds).toHaveLength(100);
    expect(kinds.slice(0, 9).every(({ failed }) => failed === 20)).toBe(true);
    expect(kinds[0]?.failures).toHaveLength(5);
    expect(JSON.stringify(kinds).length).toBeLessThan(60_000);
    expect(tally.firstFailure).toMatchObject({ code: 'ObjectRejected' });
  });
});
