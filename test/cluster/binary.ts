import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { clusterAsset } from './paths.js';
import { withLock } from './process/lock.js';
import { run } from './process/run.js';
import type { Settings } from './settings.js';

const programs = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-proxy',
  'kube-scheduler',
  'kubectl',
  'kubelet',
];

/**
 * The directory with the Kubernetes programs, built from test/cluster/kube on first use (minutes) and kept in
 * the cache by Kubernetes version and content of the module.
 * @param report gets progress lines
 */
export async function ensureKubeBinaries(
  settings: Settings,
  report: (line: string) => void,
): Promise<string> {
  const { version, key } = await moduleKey();
  const directory = join(settings.cacheDir, 'kube', `${version}-${key}`);
  const link = join(settings.cacheDir, 'bin');
  if (existsSync(directory) && (await readlink(link).catch(() => '')) === directory) return directory;
  return withLock(join(settings.cacheDir, 'kube', 'lock'), async () => {
    if (!existsSync(directory)) await build(settings, version, directory, report);
    // A place for PATH that stays the same: kubectl of the clusters' own version.
    await symlink(directory, `${link}.new`).catch(() => undefined);
    await rename(`${link}.new`, link);
    return directory;
  });
}

async function moduleKey(): Promise<{ version: string; key: string }> {
  const files = ['go.mod', 'go.sum', 'main.go', 'pause/main.go'];
  const contents = await Promise.all(files.map((file) => readFile(clusterAsset('kube', file), 'utf8')));
  const version = /k8s\.io\/kubernetes (v\S+)/.exec(contents[0] ?? '')?.[1];
  if (version === undefined) throw new Error('go.mod does not name a version of k8s.io/kubernetes');
  return { version, key: createHash('sha256').update(contents.join('\0')).digest('hex').slice(0, 12) };
}

/** Builds beside the final place and renames, so that an interrupted build never looks complete. */
async function build(
  settings: Settings,
  version: string,
  directory: string,
  report: (line: string) => void,
): Promise<void> {
  const fresh = `${directory}.building`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { recursive: true });
  report(`building Kubernetes ${version} (once; 4 to 6 minutes on two cores) ...`);
  const started = Date.now();
  let packages = 0;
  const timer = setInterval(() => {
    report(`  ${packages} packages compiled, ${Math.round((Date.now() - started) / 1000)} s`);
  }, 10_000);
  try {
    const flags = ['-v', '-buildvcs=false', '-ldflags', linkFlags(version), '-o', `${fresh}/`];
    await run('go', ['build', ...flags, '.', './pause'], {
      cwd: clusterAsset('kube'),
      env: { ...settings.env, CGO_ENABLED: '0' },
      onStderrLine: () => packages++,
    });
  } finally {
    clearInterval(timer);
  }
  for (const program of programs) await symlink('kube', join(fresh, program));
  await rename(fresh, directory);
  report(`built Kubernetes ${version} in ${Math.round((Date.now() - started) / 1000)} s`);
}

/** Without a version, servers report v0.0.0-master, which clients refuse. */
function linkFlags(version: string): string {
  const [major, minor] = version.slice(1).split('.');
  const base = 'k8s.io/component-base/version';
  return `-s -w -X ${base}.gitVersion=${version} -X ${base}.gitMajor=${major ?? ''} -X ${base}.gitMinor=${minor ?? ''}`;
}
