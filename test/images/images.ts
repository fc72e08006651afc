import { join } from 'node:path';
import { ensureKubeBinaries } from '../cluster/binary.js';
import { repositoryRoot } from '../cluster/paths.js';
import { withLock } from '../cluster/process/lock.js';
import { RunError } from '../cluster/process/run.js';
import type { Settings } from '../cluster/settings.js';
import { ensureBaseImage } from './base.js';
import { Buildah, hostPackageConfig } from './buildah.js';
import { filesKey, workspaceKey } from './content-key.js';
import { ImageLayout } from './layout.js';

/** One image, ready to be imported. */
export interface BuiltImage {
  /** The name that stays, such as `localhost/dr-syncer-agent:dev`. */
  readonly name: string;
  /** The same image under a name that changes with its content: a Deployment that names it rolls out. */
  readonly exactName: string;
  /** Has it under its exact name. */
  readonly layout: ImageLayout;
}

export type ImageRole = 'agent' | 'controller' | 'demo' | 'pause';
export type Images = Readonly<Record<ImageRole, BuiltImage>>;

const repositories: Readonly<Record<ImageRole, string>> = {
  agent: 'localhost/dr-syncer-agent',
  controller: 'localhost/dr-syncer-controller',
  demo: 'localhost/dr-syncer-demo',
  // The real one's name: what asks for it gets ours where registry.k8s.io is out of reach.
  pause: 'registry.k8s.io/pause',
};

/** Builds what has changed since the last time, and nothing else. */
export async function ensureImages(
  settings: Settings,
  report: (line: string) => void,
  roles: readonly ImageRole[] = ['pause', 'demo', 'agent', 'controller'],
): Promise<Partial<Images>> {
  return withLock(join(settings.cacheDir, 'images', 'lock'), async () => {
    const built: Partial<Record<ImageRole, BuiltImage>> = {};
    for (const role of roles) built[role] = await ensureImage(settings, role, report);
    return built;
  });
}

async function ensureImage(
  settings: Settings,
  role: ImageRole,
  report: (line: string) => void,
): Promise<BuiltImage> {
  const key = await contentKey(role);
  const layout = new ImageLayout(join(settings.cacheDir, 'images/oci'));
  const image: BuiltImage = {
    name: `${repositories[role]}:${role === 'pause' ? '3.10' : 'dev'}`,
    exactName: `${repositories[role]}:${key}`,
    layout,
  };
  if (await layout.has(image.exactName)) return image;

  const started = Date.now();
  report(`building ${image.name} ...`);
  const buildah = new Buildah(settings);
  await buildah.tidy();
  if (role === 'pause') await buildPause(settings, buildah, image, report);
  else await buildFromDockerfile(settings, buildah, role, image, report);
  if ((await contentKey(role)) !== key) {
    // Else the old content's key would name an image of the new content.
    report(`sources of ${image.name} changed while it was built: building again`);
    return ensureImage(settings, role, report);
  }
  // Uncompressed: the layers go no further than to containerd on this machine. The layout's index, which makes the
  // image visible, is written last.
  await buildah.run([
    'push',
    '--quiet',
    '--disable-compression',
    image.name,
    `oci:${layout.directory}:${image.exactName}`,
  ]);
  await layout.keepOnly(repositories[role], image.exactName);
  report(`built ${image.exactName} in ${((Date.now() - started) / 1000).toFixed(1)} s`);
  return image;
}

function contentKey(role: ImageRole): Promise<string> {
  const root = repositoryRoot();
  if (role === 'pause') return filesKey(root, ['test/cluster/kube/pause/main.go']);
  if (role === 'demo') return filesKey(root, ['test/images/demo/Dockerfile']);
  return workspaceKey(role);
}

async function buildFromDockerfile(
  settings: Settings,
  buildah: Buildah,
  role: 'agent' | 'controller' | 'demo',
  image: BuiltImage,
  report: (line: string) => void,
): Promise<void> {
  const root = repositoryRoot();
  await ensureBaseImage(settings, buildah, report);
  const file = role === 'demo' ? 'test/images/demo/Dockerfile' : `packages/${role}/Dockerfile`;
  const how = [
    'build',
    '--layers',
    '--pull-never',
    '--network',
    'host',
    ...(await hostPackageConfig(settings)),
  ];
  const what = ['--file', join(root, file), '--tag', image.name, '--tag', image.exactName, root];
  await buildah.run([...how, ...what]).catch((error: unknown) => {
    // Compilers and package managers say on either stream what is wrong.
    const output = error instanceof RunError ? `${error.stdout}\n${error.stderr}` : String(error);
    throw new Error(`building ${image.name} failed:\n${output.trim().slice(-4000)}`);
  });
}

/** One static program and nothing else. */
async function buildPause(
  settings: Settings,
  buildah: Buildah,
  image: BuiltImage,
  report: (line: string) => void,
): Promise<void> {
  const bin = await ensureKubeBinaries(settings, report);
  const container = (await buildah.run(['from', 'scratch'])).stdout.trim();
  try {
    await buildah.run(['add', '--quiet', container, join(bin, 'pause'), '/pause']);
    await buildah.run(['config', '--user', '65535:65535', '--entrypoint', '["/pause"]', container]);
    await buildah.run(['commit', '--quiet', container, image.name]);
    await buildah.run(['tag', image.name, image.exactName]);
  } finally {
    await buildah.run(['rm', container]);
  }
}
