import type { ChildProcess } from 'node:child_process';
import type { FileHandle } from 'node:fs/promises';

import { DrError, type Identity } from '@dr-syncer/api';
import { z } from 'zod';

import { StderrTail } from '../../server/stderr-tail.js';
import { killGroup } from '../process/group.js';
import type { VerifiedLauncher } from '../process/launch.js';
import type { OpenVolume } from '../volumes/open-volume.js';

const number = z.number().int().min(0);
const surveyReport = z.object({
  entries: number,
  files: number,
  directories: number,
  links: number,
  others: number,
  bytes: number,
  changed: number,
  removed: number,
  /** Directories that could not be listed, and names that are too long. */
  unreadable: number,
  vanished: number,
  /** Something is mounted inside. */
  otherDevices: z.boolean(),
  /** No name was left out for want of room. */
  named: z.boolean(),
  /** How many of the set come first that were changed long enough ago to be compared with later. */
  settled: number,
  digest: z.string().regex(/^[0-9a-f]{32}$/),
  /** Sizes of regular files. */
  largest: number,
  changedBytes: number,
  changedLargest: number,
  /** What the lists of `SurveySpec.lists` name, in their order. */
  shards: z.array(z.object({ files: number, bytes: number })),
});
export type SurveyReport = z.infer<typeof surveyReport>;

export interface SurveyProgram {
  readonly launcher: VerifiedLauncher;
  /** dr-syncer-survey, see `native/survey` of this package. */
  readonly path: string;
}

export interface SurveySpec {
  readonly volume: OpenVolume;
  readonly identity: Identity;
  /** 16 bytes. Whoever knows it could make up files that look like others. */
  readonly key: Buffer;
  /** Set of an earlier survey, or an empty file. */
  readonly before: FileHandle;
  /** Takes the set of this one. */
  readonly after: FileHandle;
  /** Takes the names of what has changed. */
  readonly names: FileHandle;
  /** Bytes of names at most. */
  readonly namesRoom: number;
  /** In place of what has changed: of one file in so many. */
  readonly sample?: number;
  /** In place of the names, too: each takes its share of the regular files that have changed. */
  readonly lists?: readonly FileHandle[];
}

const ENV = { LC_ALL: 'C' };
const MAX_REPORT = 4096;

/**
 * Looks at every entry of a volume, as the identity. The program waits for its key, and gets it when /proc has shown that
 * it is who it should be.
 *
 * @throws DrError IdentityMismatch, TransferFailed; the signal's reason
 */
export async function runSurvey(
  { launcher, path }: SurveyProgram,
  spec: SurveySpec,
  signal: AbortSignal,
): Promise<SurveyReport> {
  const { volume, identity, key, before, after, names, namesRoom, sample, lists = [] } = spec;
  const stderr = new StderrTail(1024);
  let text = '';
  let ended: Promise<number | null> = Promise.resolve(null);
  let stop: () => void = () => undefined;
  const follow = (child: ChildProcess) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString('latin1')).slice(0, MAX_REPORT);
    });
    child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
    // One that has ended says why by its exit.
    child.stdin?.on('error', () => undefined);
    ended = new Promise((resolve) => {
      child.once('close', (code) => resolve(code));
      child.once('error', () => resolve(null));
    });
    stop = () => killGroup(child);
  };
  try {
    const child = await launcher.launch(
      {
        identity,
        program: path,
        args: [
          `--names=${namesRoom}`,
          ...(sample === undefined ? [] : [`--sample=${sample}`]),
          ...(lists.length === 0 ? [] : [`--shards=${lists.length}`]),
        ],
        cwd: '/',
        env: ENV,
        stdio: [
          'pipe',
          'pipe',
          'pipe',
          volume.fd,
          before.fd,
          after.fd,
          names.fd,
          ...lists.map(({ fd }) => fd),
        ],
        onSpawn: follow,
      },
      signal,
    );
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    child.stdin?.end(key);
    const code = await ended;
    signal.throwIfAborted();
    if (code !== 0)
      throw new DrError('TransferFailed', `the volume could not be surveyed (${code}): ${stderr.text()}`);
    return surveyReport.parse(JSON.parse(text));
  } finally {
    await ended;
    signal.removeEventListener('abort', stop);
  }
}
