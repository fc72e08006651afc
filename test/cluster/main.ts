import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureImages } from '../images/images.js';
import { importImages } from '../images/import.js';
import { chooseProvider, ensureClusters } from './clusters.js';
import { ensureKubeBinaries } from './binary.js';
import { downKindClusters } from './kind.js';
import { downLocalClusters, findLocalClusters } from './local/local-clusters.js';
import { recycleForever } from './local/recycler.js';
import { readSettings, type Settings } from './settings.js';
import { statusTable } from './status.js';

const usage = `usage: node test/dist/cluster/main.js VERB

  up [--source-nodes N] [--remote-nodes N]   have both clusters up
  down                                       remove them with everything they made on this machine
  status                                     what runs
  env                                        shell lines that export SOURCE_KUBECONFIG, REMOTE_KUBECONFIG, PATH
  images [--no-import]                       build the images that changed and bring them to the clusters
  binaries                                   only build the Kubernetes programs, print their directory
`;

const report = (line: string): void => {
  process.stderr.write(`${line}\n`);
};
const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      'source-nodes': { type: 'string' },
      'remote-nodes': { type: 'string' },
      'no-import': { type: 'boolean', default: false },
    },
  });
  const settings = withNodeCounts(readSettings(), values['source-nodes'], values['remote-nodes']);
  switch (positionals[0] ?? '') {
    case 'up':
      await ensureClusters(settings, report);
      return;
    case 'down':
      return down(settings);
    case 'status':
      print(statusTable(findLocalClusters(settings) ?? []));
      return;
    case 'env':
      return printEnvironment(settings);
    case 'images':
      return images(settings, !values['no-import']);
    case 'binaries':
      print(await ensureKubeBinaries(settings, report));
      return;
    case 'recycle': // started by `up` in the background
      return recycleForever(() => findLocalClusters(settings));
    default:
      process.stderr.write(usage);
      process.exitCode = 2;
  }
}

function withNodeCounts(
  settings: Settings,
  source: string | undefined,
  remote: string | undefined,
): Settings {
  const given = { ...settings.env };
  if (source !== undefined) given['DR_SYNCER_SOURCE_NODES'] = source;
  if (remote !== undefined) given['DR_SYNCER_REMOTE_NODES'] = remote;
  return readSettings(given);
}

async function down(settings: Settings): Promise<void> {
  const provider = await chooseProvider(settings);
  if (provider === 'kind') return downKindClusters();
  if (provider === 'given')
    report('the clusters of SOURCE_KUBECONFIG and REMOTE_KUBECONFIG are left as they are');
  await downLocalClusters(settings, report);
}

async function printEnvironment(settings: Settings): Promise<void> {
  const { source, remote } = await ensureClusters(settings, report);
  print(`export SOURCE_KUBECONFIG='${source.kubeconfigPath}'`);
  print(`export REMOTE_KUBECONFIG='${remote.kubeconfigPath}'`);
  print(`export PATH='${join(settings.cacheDir, 'bin')}':"$PATH"`);
  print(await readFile(imagesFile(settings), 'utf8').catch(() => ''));
}

/** What `images` built last, for `env`: by content, so that a new build makes pods roll. */
function imagesFile(settings: Settings): string {
  return join(settings.stateDir, 'images.env');
}

async function images(settings: Settings, bringToClusters: boolean): Promise<void> {
  const built = await ensureImages(settings, report);
  for (const { name, exactName } of Object.values(built)) print(`${name}\t${exactName}`);
  await mkdir(settings.stateDir, { recursive: true });
  const lines = (['controller', 'agent'] as const).flatMap((role) => {
    const image = built[role];
    return image === undefined ? [] : [`export ${role.toUpperCase()}_IMAGE='${image.exactName}'`];
  });
  await writeFile(imagesFile(settings), `${lines.join('\n')}\n`);
  if (bringToClusters) await importImages(await ensureClusters(settings, report), built, report);
}

try {
  await main();
} catch (error) {
  report(`error: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
