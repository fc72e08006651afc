import type { Identity } from '@dr-syncer/api';
import { describe, expect, test } from '@jest/globals';

import { markerText, type RootFacts, type Wanted } from './marker.js';
import { type KnownChanges, planPass } from './plan.js';

const label = 'system_u:object_r:container_file_t:s0:c20,c26';
const both: Wanted = { fsGroup: 2000, label };
const bare: RootFacts = { group: 2000, mode: 0o2775, inode: '2', fsid: '0123', label };
const right: RootFacts = { ...bare, marker: markerText(both, bare) };
const marker = markerText(both, bare);
const names = (...list: string[]): KnownChanges => ({ before: marker, names: new Set(list) });

describe('Given what a volume should have and what is known of it', () => {
  const rows: [
    string,
    Wanted,
    Identity['fsGroupChangePolicy'],
    RootFacts,
    KnownChanges | undefined,
    string,
  ][] = [
    ['nothing is wanted', {}, 'Always', bare, undefined, 'None'],
    ['root and marker say so', both, 'OnRootMismatch', right, undefined, 'None'],
    ['no policy is like OnRootMismatch', both, undefined, right, undefined, 'None'],
    ['Always is always', both, 'Always', right, names(), 'All'],
    [
      'Always is of groups, not of labels',
      { label },
      'Always',
      { ...bare, marker: markerText({ label }, bare) },
      undefined,
      'None',
    ],
    ['there is no marker', both, undefined, bare, undefined, 'All'],
    ['the marker is of another group', { ...both, fsGroup: 2001 }, undefined, right, undefined, 'All'],
    [
      'the marker is of another label',
      { ...both, label: label.replace('26', '27') },
      undefined,
      right,
      undefined,
      'All',
    ],
    ['the marker came with a copy of the root', both, undefined, { ...right, inode: '3' }, undefined, 'All'],
    ['the marker came with a copy of the disk', both, undefined, { ...right, fsid: '4' }, undefined, 'All'],
    ['the root has another group', both, undefined, { ...right, group: 0 }, undefined, 'All'],
    ['the root is not setgid', both, undefined, { ...right, mode: 0o775 }, undefined, 'All'],
    ['the group may not write to the root', both, undefined, { ...right, mode: 0o2755 }, undefined, 'All'],
    [
      'the root has another label',
      both,
      undefined,
      { ...right, label: label.replace('20', '21') },
      undefined,
      'All',
    ],
    ['the root has no label', both, undefined, { ...bare, label: '', marker }, undefined, 'All'],
    [
      'the root has the label in other words',
      both,
      undefined,
      { ...right, label: label.replace('c20,c26', 'c26,c20') },
      undefined,
      'None',
    ],
    ['transfers changed nothing', both, undefined, bare, names(), 'None'],
    ['transfers changed two', both, undefined, bare, names('a', 'b/c'), 'Changed'],
    ['transfers changed the root', both, undefined, { ...bare, group: 0 }, names('.'), 'Changed'],
    ['others changed the root', both, undefined, { ...bare, group: 0 }, names('a'), 'All'],
    ['too much changed', both, undefined, bare, { before: marker, names: 'all' }, 'All'],
    ['all before is unknown', both, undefined, bare, { before: undefined, names: 'all' }, 'All'],
    [
      'what changed is known, but not whether all was right before',
      both,
      undefined,
      bare,
      { before: undefined, names: new Set(['a']) },
      'All',
    ],
  ];

  test.each(rows)('When %s, then the scope is that', (_, wanted, policy, root, known, scope) => {
    const plan = planPass(wanted, policy, root, known);
    expect(plan.scope).toBe(scope);
    if (plan.scope === 'All') expect(plan.reason).not.toBe('');
  });
});
