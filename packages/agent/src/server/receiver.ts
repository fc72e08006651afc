import type { Readable, Writable } from 'node:stream';

/** How a command ended: an exit code, or the signal that ended it. */
export interface ReceiverExit {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Last bytes of its standard error. */
  readonly stderr: string;
}

/** A running rsync. */
export interface Receiver {
  /** Its standard input and output; the same object when they are one socket. */
  readonly input: Writable;
  readonly output: Readable;
  /** Settles when it has ended and its output has been closed. Never rejects. */
  readonly exited: Promise<ReceiverExit>;
  /** Ends it and all that it started. May be called at any time, more than once. */
  kill(): void;
}

/** Where a command runs. */
export interface ReceiverTarget {
  /** Absent: the key is in the static file. */
  readonly grantId?: string;
  /** Directory that the forced command names. */
  readonly dir: string;
  /** rsync is told to keep to the directory. Not for a literal command, which runs exactly as it is written. */
  readonly confined: boolean;
}

export interface ReceiverBackend {
  /**
   * Starts `rsync` with these arguments (`--server` first, the path last; the backend puts its own path there). They
   * are checked already.
   *
   * @throws Refused (VolumeNotAvailable, GrantNotFound, StartFailed)
   */
  start(target: ReceiverTarget, argv: readonly string[], signal: AbortSignal): Promise<Receiver>;
}
