import { rssBytes } from '../support/usage.js';
import type { Side, World } from './world.js';

const sides: readonly Side[] = ['source', 'remote'];

/** Resident memory (MB) of the agent's own processes at either end: both containers, without rsync and ssh. */
export function agentMegabytes(world: World): Promise<number[]> {
  return Promise.all(
    sides.map(async (side) => {
      const all = [...(await world.processes(side, 'ssh')), ...(await world.processes(side, 'mover'))];
      const own = all.filter(({ args }) => args[0] === 'node');
      return own.reduce((sum, { pid }) => sum + residentBytes(pid), 0) / 1e6;
    }),
  );
}

/** One that has ended since it was listed has none. */
function residentBytes(pid: number): number {
  try {
    return rssBytes(pid);
  } catch {
    return 0;
  }
}
