import { describe, expect, test } from '@jest/globals';

import { dataConflict } from './data-conflicts.js';

describe('Given what the source has written since the last sync', () => {
  test.each([
    ['nothing', { changed: 0, removed: 0 }, undefined],
    ['something', { changed: 2, removed: 0 }, 'last sync: 2 changed or new. They'],
    ['removals', { changed: 0, removed: 1 }, 'last sync: 1 removed. They'],
    ['both', { changed: 2, removed: 1 }, 'last sync: 2 changed or new, 1 removed. They'],
    ['nobody knows what', undefined, 'is not known; it is replaced'],
  ])('When it is %s Then that is said', (_title, sourceChanges, expected) => {
    const volume = { name: 'data', phase: 'Succeeded' as const, ...(sourceChanges && { sourceChanges }) };
    if (expected === undefined) expect(dataConflict(volume)).toBeUndefined();
    else expect(dataConflict(volume)).toContain(expected);
  });
});
