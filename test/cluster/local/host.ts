import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from '../process/files.js';

/**
 * What the clusters change on the machine besides processes and network. The values from before are noted in the
 * state directory, so that `down` puts them back, also when another run made the change.
 */
const wanted: Readonly<Record<string, number>> = {
  // Each containerd and kubelet watches hundreds of files; the usual 128 instances don't last for two nodes.
  'fs/inotify/max_user_instances': 8192,
  'fs/inotify/max_user_watches': 524_288,
};
/** Set by kubelet itself at its start. */
const setByKubelet = ['vm/overcommit_memory', 'vm/panic_on_oom', 'kernel/panic', 'kernel/panic_on_oops'];

/** Mount points that the nodes need to exist; bind mounts cover them inside of a node. */
const mountPoints = [
  '/var/lib/kubelet',
  '/var/lib/cni',
  '/var/log/pods',
  '/var/log/containers',
  '/run/containerd',
  '/run/netns',
];

export async function prepareHost(stateDir: string): Promise<void> {
  await mkdir(stateDir, { recursive: true });
  const note = join(stateDir, 'host.json');
  if (!existsSync(note)) {
    const sysctls: Record<string, string> = {};
    for (const name of [...Object.keys(wanted), ...setByKubelet]) sysctls[name] = await readSysctl(name);
    const created = mountPoints.filter((path) => !existsSync(path));
    await writeAtomically(note, JSON.stringify({ sysctls, created }));
  }
  for (const [name, value] of Object.entries(wanted)) {
    if (Number(await readSysctl(name)) < value) await writeFile(`/proc/sys/${name}`, String(value));
  }
}

/** Puts back what was found, and removes the state directory. */
export async function restoreHost(stateDir: string): Promise<void> {
  const note = join(stateDir, 'host.json');
  if (existsSync(note)) {
    const { sysctls, created } = JSON.parse(await readFile(note, 'utf8')) as Note;
    for (const [name, value] of Object.entries(sysctls)) await writeFile(`/proc/sys/${name}`, value);
    // Not recursive: what somebody else has put there meanwhile stays.
    for (const path of created) await rmdir(path).catch(() => undefined);
  }
  await rm(stateDir, { recursive: true, force: true });
}

interface Note {
  readonly sysctls: Record<string, string>;
  readonly created: string[];
}

async function readSysctl(name: string): Promise<string> {
  return (await readFile(`/proc/sys/${name}`, 'utf8').catch(() => '')).trim();
}
