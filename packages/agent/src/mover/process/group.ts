import type { ChildProcess } from 'node:child_process';

/** Between asking a process group to end and ending it: rsync uses it to keep what it has of a file for the next run. */
const KILL_AFTER_MS = 2_000;

/**
 * For a child that leads a process group of its own (`detached`): nobody of the group outlives it. It normally goes
 * last; when it was killed, what it had started is ended as well.
 */
export function endGroupWithLeader(child: ChildProcess): void {
  const { pid } = child;
  if (pid !== undefined) child.once('exit', () => signalGroup(pid, 'SIGKILL'));
}

export function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** SIGTERM to the group, and SIGKILL to what is left two seconds later. For other users' processes: CAP_KILL. */
export function killGroup(child: ChildProcess): void {
  const { pid } = child;
  // Once it has been waited for, the number may be somebody else's.
  if (pid === undefined || hasEnded(child)) return;
  signalGroup(pid, 'SIGTERM');
  const timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), KILL_AFTER_MS);
  child.once('exit', () => clearTimeout(timer));
}

function signalGroup(pgid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pgid, signal);
  } catch {
    // ESRCH: nobody is left.
  }
}
