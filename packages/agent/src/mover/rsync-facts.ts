import { DrError, type Identity } from '@dr-syncer/api';

import { atLeast, rsyncVersion } from '../server/rsync-version.js';

/**
 * What the installed rsync can be trusted with. 3.5.0 closes the ways in which the owner of a tree could lead a
 * privileged rsync out of it by symbolic links; before that it only ever runs with a tenant's own rights.
 */
export class RsyncFacts {
  readonly path: string;
  readonly version: string;

  constructor(path: string, version: string) {
    this.path = path;
    this.version = version;
  }

  /** @throws Error when there is no rsync at the path */
  static async find(path: string, signal: AbortSignal): Promise<RsyncFacts> {
    return new RsyncFacts(path, await rsyncVersion(path, signal));
  }

  /** 3.5 or newer. */
  get isSafe(): boolean {
    return atLeast(this.version, 3, 5);
  }

  /** @throws DrError RsyncTooOld */
  assertMay({ uid, capabilities, privileged }: Identity): void {
    if (this.isSafe || !(privileged || uid === 0 || capabilities.length > 0)) return;
    throw new DrError('RsyncTooOld', `rsync ${this.version} is not used with privileges`);
  }
}
