import type { ChildProcess } from 'node:child_process';

import { DrError, type Identity } from '@dr-syncer/api';
import type { Result, VolumeRef } from '@dr-syncer/ssh';

import { killGroup } from '../process/group.js';
import type { VerifiedLauncher } from '../process/launch.js';
import { ErrorLog } from '../transfers/error-log.js';
import { RsyncOutputReader } from '../transfers/progress.js';
import { filterOptions } from '../transfers/rsync-options.js';
import { parseStatsLine, type RsyncStats } from '../transfers/stats.js';
import type { VolumeLocator } from './locate.js';
import type { OpenVolume } from './open-volume.js';

export interface MeasureDeps {
  readonly launcher: VerifiedLauncher;
  readonly locator: VolumeLocator;
  readonly rsyncPath: string;
}

export interface MeasureSpec {
  readonly volume: VolumeRef;
  readonly identity: Identity;
  readonly excludePaths: readonly string[];
}

/** As in push.ts: the directories above a volume are closed to the identity. */
const VOLUME_FD = 3;
/** Is never there, and with a dry run does not come to be. */
const NOWHERE = '/proc/self/fd/3/.dr-syncer-nowhere/';
const ENV = { PATH: '/usr/bin:/bin', LC_ALL: 'C' };

/**
 * Files and bytes that a transfer of the volume would look at, counted by rsync itself in a dry run: the same walk with
 * the same exclusions, the same identity and the same way of counting, and no file is opened.
 *
 * @throws DrError VolumeNotFound, TransferPartial when a part cannot be read, TransferFailed, the signal's reason
 */
export async function measureVolume(
  { launcher, locator, rsyncPath }: MeasureDeps,
  { volume: ref, identity, excludePaths }: MeasureSpec,
  signal: AbortSignal,
): Promise<Result<'volumes.measure'>> {
  const volume = await locator.open(ref);
  let stop: (() => void) | undefined;
  let ended: Promise<number | null> | undefined;
  let stats: RsyncStats = {};
  const log = new ErrorLog([`/proc/self/fd/${VOLUME_FD}`]);
  const follow = (child: ChildProcess) => {
    const reader = new RsyncOutputReader();
    child.stdout?.on('data', (chunk: Buffer) => {
      for (const line of reader.push(chunk).lines) stats = { ...stats, ...parseStatsLine(line) };
    });
    child.stderr?.on('data', (chunk: Buffer) => log.push(chunk));
    ended = exitCodeOf(child);
    stop = () => killGroup(child);
  };
  try {
    await launcher.launch(
      {
        identity,
        program: rsyncPath,
        args: argsFor(excludePaths),
        cwd: volume.cwd,
        env: ENV,
        stdio: ['ignore', 'pipe', 'pipe', volume.fd],
        onSpawn: follow,
      },
      signal,
    );
    if (stop) signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop?.();
    const exitCode = await ended;
    signal.throwIfAborted();
    log.end();
    return countsOf(exitCode ?? null, stats, log);
  } finally {
    await ended;
    if (stop) signal.removeEventListener('abort', stop);
    await closeQuietly(volume);
  }
}

function argsFor(excludePaths: readonly string[]): string[] {
  return [
    '--archive',
    '--dry-run',
    ...filterOptions({ excludePaths: [...excludePaths] }),
    '--info=stats2',
    '--no-human-readable',
    '--',
    `/proc/self/fd/${VOLUME_FD}/`,
    NOWHERE,
  ];
}

function countsOf(exitCode: number | null, stats: RsyncStats, log: ErrorLog): Result<'volumes.measure'> {
  const said = log.lines.join('; ');
  if (exitCode === 23) throw new DrError('TransferPartial', `the volume could not be counted: ${said}`);
  const { files, totalSize } = stats;
  if ((exitCode !== 0 && exitCode !== 24) || files === undefined || totalSize === undefined) {
    throw new DrError('TransferFailed', `the volume could not be counted (${exitCode}): ${said}`);
  }
  return { files, bytes: totalSize };
}

function exitCodeOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    child.once('close', (code) => resolve(code));
    child.once('error', () => resolve(null));
  });
}

async function closeQuietly(volume: OpenVolume): Promise<void> {
  await volume.close().catch(() => undefined);
}
