import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { generatedFiles } from './generated.js';

/** `main.js MANIFESTS` writes the generated files; a test says when they are stale. */
function main(argv: readonly string[]): void {
  const [manifests] = argv;
  if (manifests === undefined) throw new Error('usage: main.js MANIFESTS');
  for (const { path, text } of generatedFiles(manifests)) {
    mkdirSync(dirname(join(manifests, path)), { recursive: true });
    writeFileSync(join(manifests, path), text);
  }
}

main(process.argv.slice(2));
