import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { rounds } from './generated.js';

const root = join(import.meta.dirname, '../..');

test.each(rounds.flatMap((round) => round(root)))('$path is what it is made from', ({ path, text }) => {
  // When this fails: make generate
  expect(readFileSync(join(root, path), 'utf8')).toBe(text);
});
