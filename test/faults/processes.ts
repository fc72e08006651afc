import { readdir, readFile } from 'node:fs/promises';

export interface FoundProcess {
  readonly pid: number;
  readonly args: readonly string[];
}

/** Processes of a container, as the host sees them: containerd names the control group after the container. */
export async function processesOf(containerId: string): Promise<FoundProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      try {
        const cgroup = await readFile(`/proc/${pid}/cgroup`, 'utf8');
        if (!cgroup.includes(containerId)) return [];
        const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').slice(0, -1);
        return args.length === 0 ? [] : [{ pid: Number(pid), args }];
      } catch {
        // It has ended.
        return [];
      }
    }),
  );
  return found.flat();
}

/** SIGKILL. @returns how many were there to be killed */
export function killAll(processes: readonly FoundProcess[]): number {
  let killed = 0;
  for (const { pid } of processes) {
    try {
      process.kill(pid, 'SIGKILL');
      killed += 1;
    } catch {
      // It has ended.
    }
  }
  return killed;
}
