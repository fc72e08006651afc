import type { ChildProcess, SpawnOptions } from 'node:child_process';

import type { Identity } from '@dr-syncer/api';

/** How a program is started as an identity and how that is confirmed: `launch` and `verifyProcess` of `../../identity`. */
export interface Launcher {
  /** @throws DrError IdentityRefused */
  launch(
    identity: Identity,
    program: string,
    args: readonly string[],
    options: Omit<SpawnOptions, 'uid' | 'gid' | 'shell'>,
  ): ChildProcess;
  /**
   * Waits until the process has become `comm` and compares what it is then with the identity.
   *
   * @throws DrError IdentityMismatch, also when the process is gone; the signal's reason
   */
  verify(
    pid: number,
    identity: Identity,
    options: { readonly comm: string; readonly signal?: AbortSignal },
  ): Promise<void>;
}
