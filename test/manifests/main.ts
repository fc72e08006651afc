import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { rounds } from './generated.js';

/** `main.js ROOT` writes the generated files; a test says when they are stale. */
function main(argv: readonly string[]): void {
  const [root] = argv;
  if (root === undefined) throw new Error('usage: main.js ROOT');
  for (const round of rounds) {
    for (const { path, text } of round(root)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
  }
}

main(process.argv.slice(2));
