import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { repositoryRoot } from '../cluster/paths.js';
import { run } from '../cluster/process/run.js';
import type { Settings } from '../cluster/settings.js';
import type { Buildah } from './buildah.js';

/** The npm that a locally made base image carries. */
const npmVersion = '11.21.2';

/** The base image that our Dockerfiles name, such as `docker.io/library/node:24.21.0-bookworm-slim`. */
export async function baseImageName(): Promise<string> {
  const dockerfile = await readFile(join(repositoryRoot(), 'packages/agent/Dockerfile'), 'utf8');
  const name = /^FROM (docker\.io\/library\/node:\S+)/m.exec(dockerfile)?.[1];
  if (name === undefined)
    throw new Error('packages/agent/Dockerfile does not start from docker.io/library/node');
  return name;
}

/**
 * Has the base image in buildah's storage: pulled where the registry answers, else made under the same name from
 * Debian packages and the `node` builds of the npm registry, which are the official binaries.
 */
export async function ensureBaseImage(
  settings: Settings,
  buildah: Buildah,
  report: (line: string) => void,
): Promise<string> {
  const image = await baseImageName();
  if (await buildah.has(image)) return image;
  if (await registryAnswers()) {
    report(`pulling ${image} ...`);
    await buildah.run(['pull', '--quiet', image]);
  } else {
    report(`docker.io is out of reach: making ${image} here (once; about a minute) ...`);
    await makeBaseImage(settings, buildah, image);
  }
  return image;
}

/** Any answer will do; 401 is the usual one. */
function registryAnswers(): Promise<boolean> {
  const request = fetch('https://registry-1.docker.io/v2/', { signal: AbortSignal.timeout(5000) });
  return request.then(
    ({ status }) => status === 200 || status === 401,
    () => false,
  );
}

async function makeBaseImage(settings: Settings, buildah: Buildah, image: string): Promise<void> {
  const [, version = '', suite = ''] = /:([\d.]+)-(\w+)-slim$/.exec(image) ?? [];
  const parent = join(settings.cacheDir, 'images');
  await mkdir(parent, { recursive: true });
  const work = await mkdtemp(join(parent, 'base-'));
  try {
    const archive = join(work, 'debian.tar');
    const slim = ['--dpkgopt=path-exclude=/usr/share/doc/*', '--dpkgopt=path-exclude=/usr/share/man/*'];
    const packages = '--include=ca-certificates';
    await run('mmdebstrap', [
      '--variant=minbase',
      packages,
      ...slim,
      ...(await aptOptions()),
      suite,
      archive,
    ]);
    await unpackNpmPackage(`node-linux-${process.arch}@${version}`, join(work, 'node'));
    await unpackNpmPackage(`npm@${npmVersion}`, join(work, 'npm'));
    await assemble(buildah, image, version, work);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** What this machine needs to reach its package mirror, for mmdebstrap. */
export async function aptOptions(): Promise<string[]> {
  const { stdout } = await run('apt-config', ['dump']).catch(() => ({ stdout: '' }));
  const acquire = stdout.split('\n').filter((line) => /^Acquire::(Check|http|https|ftp)/.test(line));
  return acquire.map((line) => `--aptopt=${line}`);
}

async function unpackNpmPackage(name: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', directory, name]);
  const file = stdout.trim().split('\n').at(-1) ?? '';
  await run('tar', [
    '--extract',
    '--file',
    join(directory, file),
    '--directory',
    directory,
    '--no-same-owner',
  ]);
}

/** The parts of the official image that our Dockerfiles use: node and npm in /usr/local, user `node` with uid 1000. */
async function assemble(buildah: Buildah, image: string, version: string, work: string): Promise<void> {
  const container = (await buildah.run(['from', 'scratch'])).stdout.trim();
  try {
    await buildah.run(['add', '--quiet', container, join(work, 'debian.tar'), '/']);
    const node = join(work, 'node/package');
    await buildah.run(['add', '--quiet', container, join(node, 'bin'), '/usr/local/bin']);
    await buildah.run(['add', '--quiet', container, join(node, 'include'), '/usr/local/include']);
    await buildah.run([
      'add',
      '--quiet',
      container,
      join(work, 'npm/package'),
      '/usr/local/lib/node_modules/npm',
    ]);
    await buildah.run(['run', container, '--', 'sh', '-euc', finishScript]);
    const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
    const config = ['--env', `PATH=${path}`, '--env', `NODE_VERSION=${version}`, '--cmd', '["node"]'];
    await buildah.run(['config', ...config, container]);
    await buildah.run(['commit', '--quiet', container, image]);
  } finally {
    await buildah.run(['rm', container]);
  }
}

const finishScript = String.raw`
chmod 0755 /usr/local/bin/node
ln -sf ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
ln -sf ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
chmod 0755 /usr/local/lib/node_modules/npm/bin/*.js
groupadd --gid 1000 node
useradd --uid 1000 --gid node --shell /bin/bash --create-home node
find /usr/local/include/node/openssl/archs -mindepth 1 -maxdepth 1 ! -name linux-x86_64 ! -name linux-aarch64 \
  -exec rm -rf {} +
# As Debian's own images do: no package archives and no binary caches stay behind in a layer.
cat > /etc/apt/apt.conf.d/docker-clean <<'CONF'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
CONF
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /var/cache/apt/*.bin
`;
