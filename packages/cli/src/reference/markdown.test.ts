import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { makeProgram } from '../program.js';
import { referencePage } from './markdown.js';
import { nowhere } from './nowhere.js';

test('docs/reference/cli.md is what the program says of itself', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/reference/cli.md'), 'utf8');

  // When this fails: make generate
  expect(page).toBe(referencePage(makeProgram(nowhere)));
});
