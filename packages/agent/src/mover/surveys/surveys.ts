import { type FileHandle, open } from 'node:fs/promises';

import { DrError, type Identity } from '@dr-syncer/api';
import type { Params, Survey } from '@dr-syncer/ssh';

import type { RsyncFacts } from '../rsync-facts.js';
import { infoOf, type VolumeLocator } from '../volumes/locate.js';
import type { OpenVolume } from '../volumes/open-volume.js';
import { runSurvey, type SurveyProgram, type SurveyReport } from './survey.js';
import type { SurveyStore } from './survey-store.js';

export interface SurveysOptions extends SurveyProgram {
  readonly locator: VolumeLocator;
  readonly rsync: RsyncFacts;
  readonly store: SurveyStore;
}

/**
 * Local file systems that set the time of change of an inode by the clock of this node, at each change of it and of what
 * it holds. Of network file systems that can't be said: another client's clock, a server's, or a cache may answer.
 */
const RELIABLE: readonly string[] = ['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'f2fs', 'tmpfs'];

/** A list that is longer says that a comparison of everything costs no more. */
const NAMES_ROOM = 64 << 20;

type Compare = NonNullable<Params<'volumes.survey'>['compare']>;

interface Files {
  readonly before?: FileHandle | undefined;
  readonly after?: FileHandle | undefined;
  readonly names?: FileHandle | undefined;
  readonly room?: number;
  readonly sample?: number | undefined;
}

/** Tells what is in volumes, and what of it is not as it was. One at a time for each holder. */
export class Surveys {
  readonly #options: SurveysOptions;
  readonly #busy = new Set<string>();

  constructor(options: SurveysOptions) {
    this.#options = options;
  }

  /** @throws DrError VolumeNotFound, Busy, RsyncTooOld, TransferFailed; the signal's reason */
  async survey(
    { volume: ref, identity, compare }: Params<'volumes.survey'>,
    signal: AbortSignal,
  ): Promise<Survey> {
    const { locator, rsync } = this.#options;
    rsync.assertMay(identity);
    const volume = await locator.open(ref);
    try {
      if (compare === undefined) return surveyOf(await this.#look(volume, identity, signal), volume);
      const { holder, with: base } = compare;
      return await this.#alone(holder, () =>
        base === 'last'
          ? this.#sinceLast(compare, volume, identity, signal)
          : this.#sinceKept(holder, ref.pvName, volume, identity, signal),
      );
    } finally {
      await volume.close();
    }
  }

  /** @returns false: nothing to keep, or nothing to add it to */
  async keep({ holder, conditions, copyDigest, full }: Params<'surveys.keep'>): Promise<boolean> {
    const { store } = this.#options;
    return this.#alone(holder, async () => {
      const [last, kept] = [await store.last(holder), await store.kept(holder)];
      if (last === undefined || (!full && kept === undefined)) return false;
      const { pv, rootId, takenAt } = last;
      const fullAt = full ? takenAt : (kept?.fullAt ?? takenAt);
      await store.keep(holder, { pv, rootId, conditions, copyDigest, fullAt }, last);
      return true;
    });
  }

  async #sinceKept(
    holder: string,
    pv: string,
    volume: OpenVolume,
    identity: Identity,
    signal: AbortSignal,
  ): Promise<Survey> {
    const { store } = this.#options;
    const { rootId } = await infoOf(volume);
    const found = await store.kept(holder);
    // Another volume, or another file system on it, has nothing in common with the one before.
    const kept = found?.pv === pv && found.rootId === rootId ? found : undefined;
    const takenAt = new Date().toISOString();
    const before = kept && (await store.openSet(holder, 'kept').catch(() => undefined));
    const { set, names } = await store.begin(holder);
    let report: SurveyReport;
    try {
      const room = before === undefined ? 0 : NAMES_ROOM;
      report = await this.#look(volume, identity, signal, { before, after: set, names, room });
    } finally {
      for (const file of [before, set, names]) await file?.close();
    }
    const survey = surveyOf(report, volume);
    if (survey.reliable) await store.finish(holder, { pv, rootId, takenAt, settled: report.settled });
    if (kept === undefined || before === undefined) return survey;
    const { conditions, copyDigest, fullAt } = kept;
    return { ...survey, base: { ...churnOf(report), conditions, copyDigest, fullAt } };
  }

  /** What has changed since the transfer's own survey; or the names of a sample. */
  async #sinceLast(
    { holder, sample, among }: Compare,
    volume: OpenVolume,
    identity: Identity,
    signal: AbortSignal,
  ): Promise<Survey> {
    const { store } = this.#options;
    const last = await store.last(holder);
    const before = last && (await store.openSet(holder, 'last').catch(() => undefined));
    const wanted = sample !== undefined || among !== undefined;
    const names = wanted ? await store.beginSample(holder) : undefined;
    try {
      const room = wanted ? NAMES_ROOM : 0;
      const report = await this.#look(volume, identity, signal, { before, names, room, sample });
      const survey = {
        ...surveyOf(report, volume),
        ...(among && names && { changedAmong: report.named ? await whichOf(among, names) : among }),
      };
      if (last === undefined || before === undefined) return survey;
      const none = { conditions: '', copyDigest: '', fullAt: last.takenAt };
      return { ...survey, base: { ...churnOf(report), ...none } };
    } finally {
      await before?.close();
      await names?.close();
    }
  }

  async #look(
    volume: OpenVolume,
    identity: Identity,
    signal: AbortSignal,
    files: Files = {},
  ): Promise<SurveyReport> {
    const { store } = this.#options;
    const nothing = await open('/dev/null', 'r+');
    try {
      const { before = nothing, after = nothing, names = nothing, room: namesRoom = 0, sample } = files;
      const key = store.key;
      const spec = { volume, identity, key, before, after, names, namesRoom, ...(sample && { sample }) };
      return await runSurvey(this.#options, spec, signal);
    } finally {
      await nothing.close();
    }
  }

  async #alone<T>(holder: string, work: () => Promise<T>): Promise<T> {
    if (this.#busy.has(holder)) throw new DrError('Busy', 'this volume is being surveyed');
    this.#busy.add(holder);
    try {
      return await work();
    } finally {
      this.#busy.delete(holder);
    }
  }
}

/** Those whose name is in the file; a directory's has a slash behind it there. */
async function whichOf(paths: readonly string[], names: FileHandle): Promise<string[]> {
  const { size } = await names.stat();
  const { buffer } = await names.read(Buffer.alloc(size), 0, size, 0);
  const found = new Set(buffer.toString('latin1').split('\0'));
  return paths.filter((path) => found.has(path) || found.has(`${path}/`));
}

function churnOf({ changed, removed, named, changedBytes, changedLargest }: SurveyReport) {
  return { changed, removed, named, changedBytes, changedLargest };
}

function surveyOf(report: SurveyReport, { mount: { fsType } }: OpenVolume): Survey {
  const { entries, files, directories, links, others, bytes, digest, largest, unreadable, otherDevices } =
    report;
  const complete = unreadable === 0;
  const reliable = complete && !otherDevices && RELIABLE.includes(fsType);
  return { entries, files, directories, links, others, bytes, digest, largest, complete, reliable };
}
