import { readdirSync, readFileSync } from 'node:fs';

export interface Found {
  readonly pid: number;
  readonly uid: number;
  readonly comm: string;
  readonly args: readonly string[];
}

/** Children of `parent` and theirs, that have not ended. */
export function descendants(parent = process.pid): Found[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => read(Number(name)));
  const found: Found[] = [];
  let parents = new Set([parent]);
  while (parents.size > 0) {
    const next = all.filter(({ ppid }) => parents.has(ppid));
    found.push(...next);
    parents = new Set(next.map(({ pid }) => pid));
  }
  return found;
}

export function rsyncServers(): Found[] {
  return descendants().filter(({ comm, args }) => comm === 'rsync' && args.includes('--server'));
}

/** rsyncs and sshs of any kind, and what waits to become one. */
export function movers(): Found[] {
  return descendants().filter(({ comm }) => ['rsync', 'ssh', 'flock', 'setpriv'].includes(comm));
}

function read(pid: number): (Found & { readonly ppid: number })[] {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1] ?? '';
    if (field('State') === 'Z') return [];
    const args = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
    return [{ pid, ppid: Number(field('PPid')), uid: Number(field('Uid')), comm: field('Name'), args }];
  } catch {
    return [];
  }
}
