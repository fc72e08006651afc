import { DrError, type Identity } from '@dr-syncer/api';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { capabilityMask } from './capability-mask.js';

export interface VerifyOptions {
  /** What /proc/PID/comm reads once setpriv has become the program: its file name, at most 15 bytes. */
  readonly comm: string;
  /** Pid of the process that started it. Default: this one. */
  readonly parent?: number;
  /** How long the program may take to be there, milliseconds. Default 5000; measured: below 1 ms. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const POLL_MS = 2;

/**
 * Looks at a process that `launch` started, after it has become the program, and compares all of what the kernel
 * says it is with what it should be. When this throws, the caller ends the child; no data may have gone to it yet.
 *
 * @throws DrError IdentityMismatch naming the first difference, or that the program did not start in time.
 */
export async function verifyProcess(pid: number, identity: Identity, options: VerifyOptions): Promise<void> {
  const { comm, parent = process.pid, timeoutMs = 5000, signal } = options;
  const deadline = performance.now() + timeoutMs;
  while ((await read(pid, 'comm')).trimEnd() !== comm.slice(0, 15)) {
    signal?.throwIfAborted();
    if (performance.now() > deadline) throw mismatch(pid, `did not become ${comm} in ${timeoutMs} ms`);
    await sleep(POLL_MS, undefined, { signal });
  }
  const difference = firstDifference(parseStatus(await read(pid, 'status')), {
    ...wanted(identity),
    PPid: `${parent}`,
  });
  if (difference !== null) throw mismatch(pid, difference);
}

/** The fields of /proc/PID/status (proc_pid_status(5)) that an identity decides. */
function wanted(identity: Identity): Record<string, string> {
  const { uid, gid, groups, capabilities, umask } = identity;
  const mask = capabilityMask(capabilities);
  return {
    // Real, effective, saved, file system.
    Uid: Array(4).fill(uid).join(' '),
    Gid: Array(4).fill(gid).join(' '),
    Groups: [...groups].sort((a, b) => a - b).join(' '),
    CapInh: mask,
    CapPrm: mask,
    CapEff: mask,
    CapBnd: mask,
    CapAmb: mask,
    NoNewPrivs: '1',
    Umask: umask,
  };
}

function firstDifference(
  actual: ReadonlyMap<string, string>,
  expected: Readonly<Record<string, string>>,
): string | null {
  for (const [name, value] of Object.entries(expected)) {
    const found = actual.get(name);
    if (found !== value) return `has ${name} ${found ?? 'unknown'}, not ${value}`;
  }
  return null;
}

function parseStatus(text: string): Map<string, string> {
  const lines = text.split('\n').map((line) => /^(\w+):\s*(.*?)\s*$/.exec(line));
  return new Map(
    lines.flatMap((match) => (match ? [[match[1] ?? '', (match[2] ?? '').replace(/\s+/g, ' ')]] : [])),
  );
}

async function read(pid: number, name: 'comm' | 'status'): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/${name}`, 'latin1');
  } catch (err) {
    throw new DrError('IdentityMismatch', `process ${pid} was gone before it could be looked at`, {
      cause: err,
    });
  }
}

function mismatch(pid: number, what: string): DrError {
  return new DrError('IdentityMismatch', `process ${pid} ${what}`);
}
