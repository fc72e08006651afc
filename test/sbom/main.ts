import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { repositoryRoot } from '../cluster/paths.js';
import { run } from '../cluster/process/run.js';
import { table } from '../docs/table.js';
import { type Component, licencesOf } from './licences.js';

/** What is handed out: two images and the command line. */
const products = ['controller', 'agent', 'cli'];

interface Bom {
  readonly metadata: { readonly component: object };
  readonly components: readonly Component[];
}

/** `main.js DIRECTORY` writes a CycloneDX file for each product, and one list of the licences of all. */
async function main(argv: readonly string[]): Promise<void> {
  const [directory] = argv;
  if (directory === undefined) throw new Error('usage: main.js DIRECTORY');
  const root = repositoryRoot();
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  mkdirSync(directory, { recursive: true });
  const components: Component[] = [];
  for (const product of products) {
    const bom = await bomOf(root, product);
    // npm names the whole workspace after its directory.
    const component = { ...bom.metadata.component, name: `dr-syncer-${product}`, version };
    const named = { ...bom, metadata: { ...bom.metadata, component } };
    writeFileSync(join(directory, `dr-syncer-${product}.cdx.json`), `${JSON.stringify(named, null, 2)}\n`);
    components.push(...bom.components);
  }
  const { rows, questionable } = licencesOf(components);
  const text = table(
    ['package', 'version', 'licence'],
    rows.map((row) => [row.name, row.version, row.licence]),
  );
  writeFileSync(
    join(directory, 'licences.md'),
    `# Licences of what DR-Syncer ${version} contains\n\n${text}\n`,
  );
  process.stdout.write(`${rows.length} packages; written to ${directory}\n`);
  if (questionable.length > 0) throw new Error(`not permissive: ${questionable.join(', ')}`);
}

async function bomOf(root: string, product: string): Promise<Bom> {
  const flags = ['--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--omit', 'dev'];
  const { stdout } = await run('npm', ['sbom', ...flags, '--workspace', `@dr-syncer/${product}`], {
    cwd: root,
  });
  return JSON.parse(stdout) as Bom;
}

await main(process.argv.slice(2));
