import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { bundles } from './bundle.js';

/** `main.js MANIFESTS DIRECTORY` writes what the command line installs; a test says when it is stale. */
const [manifests, directory] = process.argv.slice(2);
if (manifests === undefined || directory === undefined) throw new Error('usage: main.js MANIFESTS DIRECTORY');
mkdirSync(directory, { recursive: true });
for (const file of readdirSync(directory)) rmSync(join(directory, file));
for (const { file, text } of bundles(manifests)) writeFileSync(join(directory, file), text);
