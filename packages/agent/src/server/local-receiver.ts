import { type ChildProcess, spawn } from 'node:child_process';

import { MAX_STDERR_BYTES } from '@dr-syncer/ssh';

import type { Receiver, ReceiverBackend, ReceiverExit, ReceiverTarget } from './receiver.js';
import { Refused } from './refusals.js';
import { StderrTail } from './stderr-tail.js';
import { openVolumeDirectory } from './volume-directory.js';

export interface LocalReceiverOptions {
  /** Directories of forced commands have to be in here. */
  readonly volumesRoot: string;
  /** How forced commands name `volumesRoot`, when they were written for another place. */
  readonly publishedRoot: string;
  readonly rsyncPath: string;
  /** Knows --confine-root and --drop-D; an older one goes without. */
  readonly rsync35: boolean;
}

const KILL_AFTER_MS = 2_000;

/** Ends the process group: SIGTERM, and SIGKILL for what is left two seconds later. */
function killGroup(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined) return;
  const send = (signal: NodeJS.Signals) => {
    try {
      process.kill(-pid, signal);
    } catch {
      // ESRCH: it is gone already.
    }
  };
  send('SIGTERM');
  const timer = setTimeout(() => send('SIGKILL'), KILL_AFTER_MS);
  child.once('close', () => clearTimeout(timer));
}

/**
 * The environment of rsync holds nothing of ours. The path is replaced by `.` in the opened directory, so whoever
 * renames what is on the way to it changes nothing.
 */
function spawnRsync(
  options: LocalReceiverOptions,
  argv: readonly string[],
  cwd: string,
  confine?: string,
): ChildProcess {
  const confined = confine === undefined ? [] : [`--confine-root=${confine}`];
  const asked = argv.slice(1, -1).filter((word) => options.rsync35 || word !== '--drop-D');
  const args = ['--server', ...confined, ...asked, '.'];
  return spawn(options.rsyncPath, args, {
    cwd,
    detached: true,
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

/** A child process, started with pipes and in its own process group, as a receiver. */
export async function childReceiver(child: ChildProcess): Promise<Receiver> {
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Refused('StartFailed');
  const tail = new StderrTail(MAX_STDERR_BYTES);
  stderr.on('data', (chunk: Buffer) => tail.push(chunk));
  // Not 'exit': output may still be on its way then.
  const exited = new Promise<ReceiverExit>((resolve) => {
    child.once('close', (exitCode, signalName) =>
      resolve({ exitCode, signal: signalName, stderr: tail.text() }),
    );
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (err) => reject(new Refused('StartFailed', undefined, { cause: err })));
  });
  return { input: stdin, output: stdout, exited, kill: () => killGroup(child) };
}

/** Runs rsync on this machine, as the user of this process. */
export class LocalReceivers implements ReceiverBackend {
  readonly #options: LocalReceiverOptions;

  constructor(options: LocalReceiverOptions) {
    this.#options = options;
  }

  async start(target: ReceiverTarget, argv: readonly string[], signal: AbortSignal): Promise<Receiver> {
    const { volumesRoot, publishedRoot, rsync35 } = this.#options;
    const directory = await openVolumeDirectory(volumesRoot, publishedRoot, target.dir);
    try {
      signal.throwIfAborted();
      const confine = rsync35 && target.confined ? directory.realPath : undefined;
      const child = spawnRsync(this.#options, argv, `/proc/self/fd/${directory.handle.fd}`, confine);
      return await childReceiver(child);
    } finally {
      await directory.handle.close();
    }
  }
}
