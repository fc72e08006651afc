import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run, type RunResult } from '../cluster/process/run.js';
import type { Settings } from '../cluster/settings.js';

/** Roughly a dozen builds of each image. */
const keptLayers = 300;

/**
 * buildah with a storage of our own in the cache, without a daemon. `chroot` isolation and the host's network
 * work also where containers can't be nested.
 */
export class Buildah {
  readonly #global: string[];
  readonly #env: Readonly<Record<string, string | undefined>>;

  constructor(settings: Settings) {
    const root = join(settings.cacheDir, 'images/storage');
    this.#global = ['--root', root, '--runroot', join(settings.cacheDir, 'images/run')];
    this.#env = { STORAGE_DRIVER: 'overlay', ...settings.env, BUILDAH_ISOLATION: 'chroot' };
  }

  run(args: readonly string[], onStderrLine?: (line: string) => void): Promise<RunResult> {
    const options = onStderrLine === undefined ? {} : { onStderrLine };
    return run('buildah', [...this.#global, ...args], { env: this.#env, ...options });
  }

  /**
   * Removes what interrupted and failed builds left, and now and then the layers kept for later builds: they would
   * fill the disk in the end. Only while no build runs.
   */
  async tidy(): Promise<void> {
    await this.run(['rm', '--all']);
    const { stdout } = await this.run(['images', '--all', '--quiet']);
    if (stdout.trim().split('\n').length > keptLayers) await this.run(['rmi', '--prune', '--force']);
  }

  has(image: string): Promise<boolean> {
    return this.run(['inspect', '--type', 'image', '--format', '{{.FromImageID}}', image]).then(
      () => true,
      () => false,
    );
  }
}

/**
 * How this host reaches its package registries, as read-only mounts for `RUN` lines: nothing of it gets into a
 * Dockerfile or an image.
 */
export async function hostPackageConfig(settings: Settings): Promise<string[]> {
  const directory = join(settings.cacheDir, 'images/host-config');
  await mkdir(directory, { recursive: true });
  const mounts: string[] = [];
  const mount = (from: string, to: string): void => {
    if (existsSync(from)) mounts.push('--volume', `${from}:${to}:ro`);
  };

  const { stdout } = await run('apt-config', ['dump']).catch(() => ({ stdout: '' }));
  const acquire = stdout
    .split('\n')
    .filter((line) => line.startsWith('Acquire::') && !line.includes('IndexTargets'));
  await writeFile(join(directory, 'apt.conf'), `${acquire.join('\n')}\n`);
  mount(join(directory, 'apt.conf'), '/etc/apt/apt.conf.d/99host');
  if ((await readFile('/etc/os-release', 'utf8').catch(() => '')).includes('VERSION_CODENAME=bookworm')) {
    mount('/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list.d/debian.sources');
    mount('/etc/apt/auth.conf.d', '/etc/apt/auth.conf.d');
  }

  const { env } = settings;
  const authorities = env['NODE_EXTRA_CA_CERTS'] ?? env['SSL_CERT_FILE'];
  const npmrc = [`registry=${(await run('npm', ['config', 'get', 'registry'])).stdout.trim()}`];
  if (authorities !== undefined) {
    mount(authorities, '/etc/ssl/certs/host-authorities.crt');
    npmrc.push('cafile=/etc/ssl/certs/host-authorities.crt');
  }
  await writeFile(join(directory, 'npmrc'), `${npmrc.join('\n')}\n`);
  mount(join(directory, 'npmrc'), '/usr/local/etc/npmrc');
  if (env['HOME'] !== undefined) mount(join(env['HOME'], '.npmrc'), '/root/.npmrc');
  return mounts;
}
