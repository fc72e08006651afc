import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

/** One process as /proc shows it. */
export interface ProcessInfo {
  readonly pid: number;
  readonly argv: readonly string[];
  /** Its number in its own pid namespace: 1 for the first process of a node. */
  readonly innerPid: number;
  /** The pid namespace, such as `pid:[4026531836]`. */
  readonly pidNamespace: string;
  /** Clock ticks after boot (proc(5), field 22): with the pid, it names one process for ever. */
  readonly startTime: string;
}

/**
 * All processes for which `accept` holds. Looking at what runs, instead of keeping pid files, leaves nothing
 * that an interrupted run could have left stale or unwritten.
 */
export function findProcesses(accept: (process: ProcessInfo) => boolean): ProcessInfo[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readProcess(Number(name)))
    .filter((info): info is ProcessInfo => info !== undefined && accept(info));
}

export function readProcess(pid: number): ProcessInfo | undefined {
  try {
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    // Field 2 of stat is the name in brackets and may itself hold blanks and brackets.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (argv.length === 0 || fields[0] === 'Z') return undefined;
    const inner = /^NSpid:.*?(\d+)$/m.exec(status)?.[1];
    return {
      pid,
      argv,
      innerPid: Number(inner ?? pid),
      pidNamespace: readlinkSync(`/proc/${pid}/ns/pid`),
      startTime: fields[19] ?? '',
    };
  } catch {
    return undefined; // it ended while we looked
  }
}

export function isAlive(process: ProcessInfo): boolean {
  return readProcess(process.pid)?.startTime === process.startTime;
}

/** Sends a signal if the process is still the same one. */
export function signalProcess(process: ProcessInfo, signal: NodeJS.Signals): void {
  if (!isAlive(process)) return;
  try {
    globalThis.process.kill(process.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Asks the process to end, insists after `graceMs`, and returns when it is gone. */
export async function endProcess(process: ProcessInfo, graceMs = 5000): Promise<void> {
  signalProcess(process, graceMs > 0 ? 'SIGTERM' : 'SIGKILL');
  const deadline = Date.now() + graceMs;
  while (isAlive(process)) {
    if (Date.now() > deadline) signalProcess(process, 'SIGKILL');
    if (Date.now() > deadline + 20_000) throw new Error(`process ${process.pid} does not end`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
