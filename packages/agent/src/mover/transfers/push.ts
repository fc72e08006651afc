import type { ChildProcess } from 'node:child_process';
import type { FileHandle } from 'node:fs/promises';

import { DrError, type Identity, SSH_USER } from '@dr-syncer/api';
import type {
  FileFailure,
  TransferDifferences,
  TransferDestination,
  TransferKey,
  TransferScope,
} from '@dr-syncer/ssh';

import { killGroup } from '../process/group.js';
import type { VerifiedLauncher } from '../process/launch.js';
import { OutputPipe } from '../process/output-pipe.js';
import type { RsyncFacts } from '../rsync-facts.js';
import type { OpenVolume } from '../volumes/open-volume.js';
import { DifferenceLog } from './differences.js';
import { ErrorLog } from './error-log.js';
import { JobFiles } from './job-files.js';
import { isTransient, transferError } from './outcome.js';
import { type RsyncOutput, RsyncOutputReader } from './progress.js';
import { confinement, type PushOptions, pushOptions, remoteTarget } from './rsync-options.js';
import { sshRemoteShell, type SshTools } from './ssh-command.js';

export interface PushDeps {
  readonly launcher: VerifiedLauncher;
  readonly rsync: Pick<RsyncFacts, 'path' | 'isSafe'>;
  readonly tools: SshTools;
  /** Of the jobs' own directories: exists, and every user may enter it. */
  readonly jobsDir: string;
}

/** The names that a survey has found changed; the caller closes the file. */
export type Names = (which: 'last' | 'sample') => Promise<FileHandle>;

export interface PushSpec {
  readonly volume: OpenVolume;
  readonly identity: Identity;
  readonly key: TransferKey;
  readonly destination: TransferDestination;
  /** For the scope Changed, and for a comparison of a sample. */
  readonly names: Names;
  readonly options: PushOptions;
  readonly onOutput: (output: RsyncOutput) => void;
}

export interface PushEnd {
  /** Absent: rsync was never started, or ended by a signal. */
  readonly exitCode?: number;
  readonly vanished: number;
  readonly failures?: readonly FileFailure[];
  readonly error?: DrError;
  readonly differences?: TransferDifferences;
  readonly scope?: TransferScope;
  /** The cause of the error may pass by itself. */
  readonly transient?: boolean;
}

interface RsyncEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/**
 * The sending rsync reaches the volume's directory through a descriptor that it inherits: it opens what it is told to
 * send by an absolute path (with `.`, by the one of getcwd), and the kubelet's directories above a volume are closed to
 * tenants (measured with rsync 3.5.0). /proc/self is the kernel's own link, so rsync's checks of links let it pass.
 */
const VOLUME_FD = 3;
const VOLUME_PATH = `/proc/self/fd/${VOLUME_FD}`;

const ENV = { PATH: '/usr/bin:/bin', LC_ALL: 'C' };

/**
 * One attempt. Names of what has changed are of a moment ago: where one of them is no more what it was (a directory is a
 * file now), all is compared instead. Never rejects.
 *
 * @param signal ends it; the reason, a DrError, is the error then
 */
export async function pushInScope(deps: PushDeps, spec: PushSpec, signal: AbortSignal): Promise<PushEnd> {
  const { scope } = spec.options;
  const end = { scope, ...(await pushMakingRoom(deps, spec, signal)) };
  const stale = scope === 'Changed' && end.error !== undefined && end.transient !== true && !signal.aborted;
  if (!stale) return end;
  const all = { ...spec, options: { ...spec.options, scope: 'All' as const } };
  return { scope: 'All', ...(await pushMakingRoom(deps, all, signal)) };
}

/**
 * As `push`. A destination that is full gets another run that removes first: what has no source any more, and what is
 * left of a transfer that broke off, may be all the room that is missing, and nobody else would ever free it.
 */
async function pushMakingRoom(deps: PushDeps, spec: PushSpec, signal: AbortSignal): Promise<PushEnd> {
  const end = await push(deps, spec, signal);
  if (end.error?.code !== 'DestinationFull' || !spec.options.delete || signal.aborted) return end;
  return push(deps, { ...spec, options: { ...spec.options, deleteFirst: true } }, signal);
}

async function namesOf({ options, names }: PushSpec): Promise<FileHandle | undefined> {
  const { purpose, scope, shard } = options;
  if (purpose === 'compareSample') return names('sample');
  return scope === 'Changed' || shard === true ? names('last') : undefined;
}

/** One of several streams, to its end: sends the files that `open` lists. Never rejects. */
export function pushShard(
  deps: PushDeps,
  spec: PushSpec,
  open: () => Promise<FileHandle>,
  signal: AbortSignal,
): Promise<PushEnd> {
  const options = { ...spec.options, delete: false, shard: true };
  return push(deps, { ...spec, options, names: open }, signal);
}

/** Runs one rsync from the volume to the destination, to its end. Never rejects. */
async function push(deps: PushDeps, spec: PushSpec, signal: AbortSignal): Promise<PushEnd> {
  let files: JobFiles | undefined;
  let names: FileHandle | undefined;
  try {
    await spec.volume.assertMounted();
    names = await namesOf(spec);
    files = await JobFiles.make(deps.jobsDir, spec.key, spec.identity, spec.destination);
    return await runRsync(deps, spec, { files, names }, signal);
  } catch (err) {
    const reason: unknown = signal.aborted ? signal.reason : err;
    const error =
      reason instanceof DrError
        ? reason
        : new DrError('TransferFailed', 'rsync could not be started', { cause: reason });
    return { vanished: 0, error };
  } finally {
    await files?.remove();
    await names?.close();
  }
}

async function runRsync(
  deps: PushDeps,
  spec: PushSpec,
  { files, names }: { files: JobFiles; names: FileHandle | undefined },
  outer: AbortSignal,
): Promise<PushEnd> {
  const { volume, options, destination, onOutput } = spec;
  const log = new ErrorLog([VOLUME_PATH, volume.path, destination.path]);
  const reader = new RsyncOutputReader();
  const differences = options.purpose === 'copy' ? undefined : new DifferenceLog();
  const output = await OutputPipe.make(deps.jobsDir, (chunk) => {
    const said = reader.push(chunk);
    if (said.connected) start.clear();
    onOutput(said);
    differences?.push(chunk);
  });
  const start = new StartTimeout(options.startTimeoutSeconds);
  const signal = AbortSignal.any([outer, start.signal]);
  let ended: Promise<RsyncEnd> | undefined;
  let stop: (() => void) | undefined;
  try {
    await deps.launcher.launch(
      {
        identity: spec.identity,
        program: deps.rsync.path,
        args: argsOf(deps, spec, files),
        cwd: volume.cwd,
        env: ENV,
        stdio: [names?.fd ?? 'ignore', output.fd, 'pipe', volume.fd],
        onSpawn: (child) => {
          output.spawned();
          child.stderr?.on('data', (chunk: Buffer) => log.push(chunk));
          ended = endOf(child);
          stop = () => killGroup(child);
        },
      },
      signal,
    );
    if (stop) signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop?.();
    const exit = (await ended) ?? { exitCode: null, signal: null };
    await output.end();
    log.end();
    const error = transferError(exit, log, signal.aborted ? (signal.reason as DrError) : undefined);
    return {
      ...pushEnd(exit, log, differences),
      ...(error && { error, transient: !outer.aborted && isTransient(error, exit) }),
    };
  } catch (err) {
    log.end();
    throw withMessages(err, log);
  } finally {
    // A launch that failed has ended what it had started; wait until it is gone, for it stands in the volume.
    await ended;
    await output.end();
    start.clear();
  }
}

function pushEnd(exit: RsyncEnd, log: ErrorLog, differences: DifferenceLog | undefined): PushEnd {
  return {
    ...(exit.exitCode === null ? {} : { exitCode: exit.exitCode }),
    vanished: exit.exitCode === 24 ? Math.max(1, log.vanished) : log.vanished,
    ...(log.failures.length > 0 && { failures: log.failures }),
    ...(differences && { differences: differences.result }),
  };
}

/** What the launcher itself said. */
function withMessages(err: unknown, { lines }: ErrorLog): unknown {
  if (!(err instanceof DrError) || err.code !== 'TransferFailed' || lines.length === 0) return err;
  return new DrError(err.code, `${err.message}: ${lines.join('; ')}`, { cause: err });
}

function argsOf(deps: PushDeps, { volume, destination, options }: PushSpec, files: JobFiles): string[] {
  return [
    ...pushOptions(options, destination),
    ...confinement(options, volume.path, deps.rsync.isSafe),
    `--rsh=${sshRemoteShell(deps.tools, files, SSH_USER, destination.port)}`,
    '--',
    `${VOLUME_PATH}/`,
    remoteTarget(destination.host, destination.path),
  ];
}

/** Settles when the process has ended and its output has been read; a process that never was has ended. */
function endOf(child: ChildProcess): Promise<RsyncEnd> {
  return new Promise((resolve) => {
    child.once('close', (exitCode, signal) => resolve({ exitCode, signal }));
    child.once('error', () => resolve({ exitCode: null, signal: null }));
  });
}

/** A destination that takes the connection and says nothing would otherwise be waited for until the stall timeout. */
class StartTimeout {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(seconds: number) {
    const error = new DrError(
      'AgentUnreachable',
      `the destination's rsync did not answer within ${seconds} s`,
    );
    this.#timer = setTimeout(() => this.#controller.abort(error), seconds * 1000);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
