import type { ChildProcess, StdioOptions } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

import { DrError, type Identity } from '@dr-syncer/api';

import type { ProcessCgroup, ProcessCgroups } from './cgroup.js';
import { Gate } from './gate.js';
import { endGroupWithLeader, hasEnded, killGroup } from './group.js';
import type { Launcher } from './launcher.js';

export interface LaunchSpec {
  readonly identity: Identity;
  /** Absolute path. */
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly stdio: StdioOptions;
  /** Called in the tick of the fork: listeners for output and end belong here. */
  readonly onSpawn: (child: ChildProcess) => void;
}

/** From fork to exec are a few milliseconds; a loaded node gets a few seconds. */
const START_MS = 10_000;
/** How long the end of a process that could not be looked at may take to be told. */
const EXIT_NEWS_MS = 200;

/** Starts programs that run only once /proc has shown that they are who they should be. */
export class VerifiedLauncher {
  readonly #launcher: Launcher;
  readonly #gateDir: string;
  readonly #cgroups: ProcessCgroups | undefined;

  /**
   * @param gateDir exists, and every user may enter it
   * @param cgroups absent: processes are held together by their process group alone
   */
  constructor(launcher: Launcher, gateDir: string, cgroups?: ProcessCgroups) {
    this.#launcher = launcher;
    this.#gateDir = gateDir;
    this.#cgroups = cgroups;
  }

  /**
   * Resolves when the program runs with its verified identity, as leader of its own session and process group, in a
   * cgroup of its own where there are some. Nothing that it starts outlives it. When that fails or `signal` is aborted before, the group is ended and nothing has been read from its standard input.
   *
   * @throws DrError IdentityRefused, IdentityMismatch, TransferFailed; the signal's reason
   */
  async launch(spec: LaunchSpec, signal: AbortSignal): Promise<ChildProcess> {
    const { identity, program } = spec;
    const gate = await Gate.make(this.#gateDir, identity.uid, identity.gid);
    const within = AbortSignal.any([signal, AbortSignal.timeout(START_MS)]);
    let child: ChildProcess | undefined;
    let cgroup: ProcessCgroup | undefined;
    try {
      cgroup = await this.#cgroups?.make();
      child = this.#fork(spec, gate, signal);
      await spawned(child);
      if (!(await this.#verify(child, identity, gate.comm, within))) {
        throw new DrError('TransferFailed', 'the launcher ended before the program began');
      }
      await enter(child, cgroup);
      await gate.open(within);
      // Credentials cannot change from here on but by the exec of the program itself, so that is looked at as well. A
      // program that has ended meanwhile says by its exit what happened.
      await this.#verify(child, identity, commOf(program), within);
      return child;
    } catch (err) {
      if (child) killGroup(child);
      await cgroup?.remove();
      signal.throwIfAborted();
      if (within.aborted)
        throw new DrError('TransferFailed', 'the program did not start in time', { cause: err });
      throw err;
    } finally {
      await gate.remove();
    }
  }

  #fork(
    { identity, program, args, cwd, env, stdio, onSpawn }: LaunchSpec,
    gate: Gate,
    signal: AbortSignal,
  ): ChildProcess {
    const behind = gate.command(program, args);
    // Whoever aborts may close descriptors next, and `cwd` may name one of them: no await from here to the fork.
    signal.throwIfAborted();
    const child = this.#launcher.launch(identity, behind.program, behind.args, {
      cwd,
      env,
      stdio,
      detached: true,
    });
    endGroupWithLeader(child);
    onSpawn(child);
    return child;
  }

  /** False: the process ended before it could be looked at. */
  async #verify(
    child: ChildProcess,
    identity: Identity,
    comm: string,
    signal: AbortSignal,
  ): Promise<boolean> {
    try {
      await this.#launcher.verify(child.pid ?? 0, identity, { comm, signal });
      return true;
    } catch (err) {
      signal.throwIfAborted();
      // One that has ended is not what it was any more, before the news of its end has come here.
      await sleep(EXIT_NEWS_MS, undefined, { signal: exitOf(child) }).catch(() => undefined);
      if (hasEnded(child)) return false;
      throw err;
    }
  }
}

/** While it waits at the gate: whatever it starts later is in there, too. */
async function enter(child: ChildProcess, cgroup: ProcessCgroup | undefined): Promise<void> {
  if (cgroup === undefined) return;
  if (child.pid !== undefined && !hasEnded(child)) await cgroup.add(child.pid);
  const remove = () => void cgroup.remove();
  child.once('exit', remove);
  if (hasEnded(child)) remove();
}

async function spawned(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) =>
      reject(new DrError('TransferFailed', `not started: ${cause.message}`, { cause })),
    );
  });
}

function exitOf(child: ChildProcess): AbortSignal {
  const controller = new AbortController();
  if (hasEnded(child)) controller.abort();
  child.once('exit', () => controller.abort());
  return controller.signal;
}

/** The kernel keeps 15 bytes of the file's name, see proc(5). */
function commOf(program: string): string {
  return program.slice(program.lastIndexOf('/') + 1).slice(0, 15);
}
