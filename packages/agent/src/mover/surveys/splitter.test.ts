import { spawnSync } from 'node:child_process';
import {
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { FILE_COST_BYTES } from '@dr-syncer/ssh';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';

import { surveyProgram } from '../testing/attributes.js';

jest.setTimeout(120_000);

interface Split {
  readonly lists: readonly (readonly string[])[];
  readonly shards: readonly { readonly files: number; readonly bytes: number }[];
}

/** A file: its directory, its size, and how many more names it has, in the next directories. */
interface Made {
  readonly dir: number;
  readonly size: number;
  readonly links: number;
}

const KIB = 1024;
const sizes = fc.oneof(
  fc.nat(64 * KIB),
  fc.nat(4 * KIB * KIB),
  fc.constantFrom(0, 1, KIB ** 3, 100 * KIB ** 3),
);
const files = fc.array(
  fc.record<Made>({
    dir: fc.nat(5),
    size: sizes,
    links: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 4 })),
  }),
  { maxLength: 60 },
);

describe('Given a tree of files of any size and with any number of names', () => {
  let program: string;
  let dir: string;

  const split = (root: string, count: number): Split => {
    const names = Array.from({ length: count }, (_, index) => join(dir, `list-${index}`));
    const fds = [
      openSync(root, 'r'),
      ...['r', 'w', 'w'].map((mode) => openSync('/dev/null', mode)),
      ...names.map((name) => openSync(name, 'w')),
    ];
    try {
      const { status, stdout, stderr } = spawnSync(program, ['--names=100000000', `--shards=${count}`], {
        ...{ input: Buffer.alloc(16, 'k'), encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe', ...fds] },
      });
      if (status !== 0) throw new Error(stderr);
      const { shards } = JSON.parse(stdout) as Pick<Split, 'shards'>;
      return { shards, lists: names.map((name) => readFileSync(name, 'latin1').split('\0').slice(0, -1)) };
    } finally {
      for (const fd of fds) closeSync(fd);
    }
  };
  /** Without contents: sizes are all that counts. @returns the names of each file */
  const make = (root: string, all: readonly Made[]): string[][] =>
    all.map(({ dir: at, size, links }, index) => {
      const names = Array.from({ length: links + 1 }, (_, link) => `d${(at + link) % 6}/f${index}-${link}`);
      const [first = '', ...others] = names;
      writeFileSync(join(root, first), '');
      truncateSync(join(root, first), size);
      for (const other of others) linkSync(join(root, first), join(root, other));
      return names;
    });
  const inTree = <T>(all: readonly Made[], work: (root: string, names: string[][]) => T): T => {
    const root = mkdtempSync(join(dir, 'tree-'));
    try {
      for (let at = 0; at < 6; at += 1) mkdirSync(join(root, `d${at}`));
      return work(root, make(root, all));
    } finally {
      rmSync(root, { recursive: true });
    }
  };

  beforeAll(async () => {
    program = await surveyProgram('-fsanitize=address,undefined');
    dir = mkdtempSync(join(tmpdir(), 'dr-syncer-split-'));
  });

  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test('When it is split Then each file is in one list, with all of its names, and none takes much longer than another', () => {
    fc.assert(
      fc.property(files, fc.integer({ min: 1, max: 32 }), (all, count) => {
        inTree(all, (root, names) => {
          const { lists, shards } = split(root, count);

          expect(lists.flat().sort()).toEqual(names.flat().sort());
          const shardOf = new Map(lists.flatMap((list, shard) => list.map((name) => [name, shard] as const)));
          for (const group of names) expect(new Set(group.map((name) => shardOf.get(name))).size).toBe(1);
          expect(shards.map((shard) => shard.files)).toEqual(lists.map((list) => list.length));
          const bytes = all.reduce((sum, { size }) => sum + size, 0);
          expect(shards.reduce((sum, shard) => sum + shard.bytes, 0)).toBe(bytes);

          const costs = shards.map((shard) => shard.bytes + shard.files * FILE_COST_BYTES);
          const total = costs.reduce((sum, cost) => sum + cost, 0);
          const largest = Math.max(0, ...all.map(({ size }) => size)) + FILE_COST_BYTES;
          const run = Math.max(KIB * KIB, total / count / 16);
          const moreNames = all.reduce((sum, { links }) => sum + links, 0) * FILE_COST_BYTES;
          expect(Math.max(...costs) - Math.min(...costs)).toBeLessThanOrEqual(largest + run + moreNames);
          // The same again: nothing of it is left to chance.
          expect(split(root, count).lists).toEqual(lists);
        });
      }),
      { numRuns: 30 },
    );
  });

  test('When a file has ten thousand names Then all are in one list', () => {
    inTree(
      [
        { dir: 0, size: KIB ** 2, links: 9_999 },
        { dir: 1, size: 5 * KIB ** 2, links: 0 },
      ],
      (root) => {
        const { lists } = split(root, 4);
        expect(lists.map((list) => list.length).sort()).toEqual([0, 0, 1, 10_000].sort());
      },
    );
  });
});
