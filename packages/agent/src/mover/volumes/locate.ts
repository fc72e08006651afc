import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { normalize } from 'node:path';

import { DrError, toDrError } from '@dr-syncer/api';
import type { VolumeInfo, VolumeRef } from '@dr-syncer/ssh';

import { volumeMounts } from './kubelet-paths.js';
import type { Mount } from './mountinfo.js';
import { readMounts } from './mounts.js';
import { identifyVolume, type OpenVolume } from './open-volume.js';

const FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** A file system whose server is gone never answers; the caller gets an answer nevertheless. */
const ANSWER_MS = 10_000;

export interface LocatorOptions {
  /** The kubelet's root directory as this container sees it, without symbolic links. */
  readonly kubeletDir: string;
  /** Directories of the node, under the same paths here: volumes in them may be named by path. Without end slash. */
  readonly hostPathPrefixes: readonly string[];
}

/**
 * Finds volumes by the objects that stand for them: the uid of a pod and the name of a PersistentVolume lead to exactly
 * one mount in the kernel's own table, or to a refusal. No name that a tenant chose takes part.
 */
export class VolumeLocator {
  readonly #kubeletDir: string;
  readonly #hostPathPrefixes: readonly string[];

  constructor({ kubeletDir, hostPathPrefixes }: LocatorOptions) {
    this.#kubeletDir = kubeletDir;
    this.#hostPathPrefixes = hostPathPrefixes;
  }

  /**
   * The caller closes it.
   *
   * @throws DrError VolumeNotFound, Timeout
   */
  async open(ref: VolumeRef): Promise<OpenVolume> {
    return withinTime(this.#open(ref), (late) => void late.close().catch(() => undefined));
  }

  /** @throws DrError VolumeNotFound, Timeout */
  async locate(ref: VolumeRef): Promise<VolumeInfo> {
    const volume = await this.open(ref);
    try {
      return await infoOf(volume);
    } finally {
      await volume.close();
    }
  }

  async #open(ref: VolumeRef): Promise<OpenVolume> {
    const mounts = await readMounts();
    const candidates = volumeMounts(mounts, this.#kubeletDir, ref);
    if (candidates.length === 0 && ref.hostPath !== undefined)
      return this.#openHostPath(ref.hostPath, mounts);
    const paths = [...new Set(candidates.map((mount) => mount.mountPoint))];
    const [path] = paths;
    if (path === undefined) throw await this.#notMounted(ref);
    if (paths.length > 1) {
      throw new DrError(
        'VolumeNotFound',
        `more than one mount can be the volume ${ref.pvName}: ${paths.join(', ')}`,
      );
    }
    return openVolume(path, candidates);
  }

  /**
   * Such a volume is in no mount of its own: its path is what there is. The administrator has said where paths may lead,
   * and no symbolic link leads anywhere else.
   */
  async #openHostPath(path: string, mounts: readonly Mount[]): Promise<OpenVolume> {
    const allowed = this.#hostPathPrefixes.some((prefix) => path.startsWith(`${prefix}/`));
    if (allowed && normalize(path) === path && !path.endsWith('/')) return openVolume(path, mounts);
    throw new DrError(
      'HostPathNotAllowed',
      `the volume is the path ${path} of its node, which is not allowed`,
    );
  }

  async #notMounted({ podUid, pvName }: VolumeRef): Promise<DrError> {
    const pod = `${this.#kubeletDir}/pods/${podUid}`;
    const known = await stat(pod).then(
      () => true,
      () => false,
    );
    const detail = known
      ? `the volume ${pvName} is not a mount in the directory of pod ${podUid}`
      : `there is no pod ${podUid} on this node`;
    return new DrError('VolumeNotFound', detail);
  }
}

async function openVolume(path: string, mounts: readonly Mount[]): Promise<OpenVolume> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, FLAGS);
    return await identifyVolume(handle, path, mounts);
  } catch (err) {
    await handle?.close();
    throw toDrError(err, 'VolumeNotFound');
  }
}

/** @throws DrError VolumeNotFound, Timeout */
export async function infoOf(volume: OpenVolume): Promise<VolumeInfo> {
  const info = volume.info().catch((err: unknown) => {
    throw toDrError(err, 'VolumeNotFound');
  });
  return withinTime(info);
}

/** @param onLate gets what comes after the caller has been told that nothing came */
async function withinTime<T>(work: Promise<T>, onLate: (value: T) => void = () => undefined): Promise<T> {
  let late = false;
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      late = true;
      reject(new DrError('Timeout', 'the file system of the volume does not answer'));
    }, ANSWER_MS);
  });
  work.then(
    (value) => {
      if (late) onLate(value);
    },
    () => undefined,
  );
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
