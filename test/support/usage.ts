import { readFileSync } from 'node:fs';

/** Of every Linux (sysconf(_SC_CLK_TCK)). */
const TICKS_PER_SECOND = 100;

/** User and system time of a process, in seconds (proc(5), stat fields 14 and 15). */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
  // The name may have spaces and brackets; what follows its last bracket has not.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resident memory of a process, in bytes; 0 of one that has ended. @throws Error where there is no /proc/PID */
export function rssBytes(pid: number): number {
  // A process that has ended and was not waited for has no such line.
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1];
  return Number(kib ?? 0) * 1024;
}
