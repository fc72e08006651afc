import type { TransferState } from '@dr-syncer/ssh';

/** What can be asked of any transfer, of this process or of the one before. */
export interface Transfer {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Milliseconds since 1970; absent while it has not ended. */
  readonly endedAt: number | undefined;
  readonly isRunning: boolean;
  /** Grows with each change of the state. */
  readonly version: number;
  /** Settles with the last state. Never rejects. */
  readonly ended: Promise<TransferState>;
  state(): TransferState;
  /** Resolves at the next change after `version`, or at once when there was one. @throws the signal's reason */
  changed(version: number, signal: AbortSignal): Promise<void>;
  /** Ends it, and waits until nothing of it is left. */
  cancel(reason?: Error): Promise<TransferState>;
}
