import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { renderCrds } from './crds.js';

/** `main.js DIR` writes the generated manifests; `main.js --check DIR` fails when they are stale. */
function main(argv: readonly string[]): void {
  const check = argv[0] === '--check';
  const dir = argv[check ? 1 : 0];
  if (dir === undefined) throw new Error('usage: main.js [--check] DIR');
  mkdirSync(dir, { recursive: true });
  for (const file of renderCrds()) {
    const path = join(dir, file.name);
    if (!check) {
      writeFileSync(path, file.text);
    } else if (readFileSync(path, 'utf8') !== file.text) {
      console.error(`${path} is stale: run "make generate"`);
      process.exitCode = 1;
    }
  }
}

main(process.argv.slice(2));
