import { readFile } from 'node:fs/promises';

import type { Side, World } from './world.js';

const sides: readonly Side[] = ['source', 'remote'];

/** Resident memory (MB) of the agent's own processes at either end: both containers, without rsync and ssh. */
export function agentMegabytes(world: World): Promise<number[]> {
  return Promise.all(
    sides.map(async (side) => {
      const all = [...(await world.processes(side, 'ssh')), ...(await world.processes(side, 'mover'))];
      const own = all.filter(({ args }) => args[0] === 'node');
      const sizes = await Promise.all(own.map(({ pid }) => residentBytes(pid)));
      return sizes.reduce((sum, size) => sum + size, 0) / 1e6;
    }),
  );
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
}
