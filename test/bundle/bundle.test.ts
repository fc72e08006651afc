import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { bundles } from './bundle.js';

const root = join(import.meta.dirname, '../..');
const shipped = join(root, 'packages/cli/manifests');

test('the command line installs what manifests/ renders to', () => {
  const rendered = bundles(join(root, 'manifests'));

  // When this fails: make generate
  expect(readdirSync(shipped).sort()).toEqual(rendered.map(({ file }) => file).sort());
  for (const { file, text } of rendered) expect(readFileSync(join(shipped, file), 'utf8')).toBe(text);
});
