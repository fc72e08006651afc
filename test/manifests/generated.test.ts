import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { generatedFiles } from './generated.js';

const manifests = join(import.meta.dirname, '../../manifests');

test.each(generatedFiles(manifests))('manifests/$path is what it is made from', ({ path, text }) => {
  // When this fails: make generate
  expect(readFileSync(join(manifests, path), 'utf8')).toBe(text);
});
