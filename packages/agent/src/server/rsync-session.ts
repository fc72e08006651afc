import type { Socket } from 'node:net';

import type { ServerChannel } from 'ssh2';

import { finishChannel } from './exec-channel.js';
import type { SshLimits } from '@dr-syncer/ssh';
import type { LimitHit } from './limit-hits.js';
import type { SshMetrics } from './metrics.js';
import { pumpIn, SendPump } from './pump.js';
import type { Receiver, ReceiverExit } from './receiver.js';
import { ReceiveWindow, type WindowBudget } from './window.js';

export interface RsyncSessionOptions {
  readonly channel: ServerChannel;
  readonly socket: Socket;
  readonly limits: SshLimits;
  readonly metrics: SshMetrics;
  readonly budget: WindowBudget;
  /** Largest receive window, and how far away the peer is. */
  readonly line: { readonly max: number; readonly roundTripMs: number };
  /** The connection is gone, or the grant is: rsync is ended. */
  readonly signal: AbortSignal;
  /** To end the connection because a limit was reached. */
  readonly onLimit: (limit: Extract<LimitHit, 'idle' | 'total'>) => void;
}

export interface SessionEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Bytes of rsync's protocol from and to the peer. */
  readonly received: number;
  readonly sent: number;
}

/** Moves bytes between one channel and one rsync, from its start to its exit code. */
export class RsyncSession {
  readonly #options: RsyncSessionOptions;
  #received = 0;
  #sent = 0;
  #pump: SendPump | undefined;

  constructor(options: RsyncSessionOptions) {
    this.#options = options;
  }

  /** To be called when a key exchange of the connection is over. */
  rekeyed(): void {
    this.#pump?.proceed();
  }

  /** Never rejects: what goes wrong with rsync is its exit. */
  async run(receiver: Receiver): Promise<SessionEnd> {
    const { channel, socket, limits, metrics, budget, line, signal, onLimit } = this.#options;
    const kill = () => receiver.kill();
    signal.addEventListener('abort', kill, { once: true });
    if (signal.aborted) kill();
    const window = new ReceiveWindow(channel, line, budget);
    const total = setTimeout(() => onLimit('total'), Math.min(limits.totalSeconds * 1000, 2 ** 31 - 1));
    const idle = this.#watchIdle();
    try {
      const received = metrics.meter('received');
      pumpIn(channel, receiver.input, window, {
        bytes: (count) => {
          this.#received += count;
          received.bytes(count);
        },
        stalled: () => received.stalled(),
      });
      const sent = metrics.meter('sent');
      const pump = new SendPump(receiver.output, channel, socket, {
        sendBufferBytes: limits.sendBufferBytes,
        meter: {
          bytes: (count) => {
            this.#sent += count;
            sent.bytes(count);
          },
          stalled: () => sent.stalled(),
        },
      });
      this.#pump = pump;
      const exit = await receiver.exited;
      await unlessAborted(pump.finished, signal);
      await unlessAborted(flushed(channel), signal);
      if (!signal.aborted) finishChannel(channel, { ...exit, stderr: this.#lastOf(exit.stderr) });
      return this.#end(exit);
    } finally {
      clearTimeout(total);
      clearInterval(idle);
      signal.removeEventListener('abort', kill);
      if (window.largest >= limits.windowBytes) metrics.limitHit('windowBytes');
      window.close();
    }
  }

  #end(exit: ReceiverExit): SessionEnd {
    return { exitCode: exit.exitCode, signal: exit.signal, received: this.#received, sent: this.#sent };
  }

  /** What of standard error the client gets. */
  #lastOf(stderr: string): string {
    const { limits, metrics } = this.#options;
    const text = Buffer.from(stderr);
    if (text.length <= limits.stderrBytes) return stderr;
    metrics.limitHit('stderr');
    return text.subarray(-limits.stderrBytes).toString();
  }

  #watchIdle(): NodeJS.Timeout {
    const { limits, onLimit } = this.#options;
    const limitMs = limits.idleSeconds * 1000;
    let seen = -1;
    let since = Date.now();
    return setInterval(
      () => {
        const moved = this.#received + this.#sent;
        if (moved !== seen) {
          seen = moved;
          since = Date.now();
        } else if (Date.now() - since >= limitMs) {
          onLimit('idle');
        }
      },
      Math.max(20, limitMs / 8),
    );
  }
}

/** All that was written has been given to the connection. ssh2 never says so once the channel is closed. */
function flushed(channel: ServerChannel): Promise<void> {
  return new Promise((resolve) => {
    if (!channel.writable) {
      resolve();
      return;
    }
    channel.write('', () => resolve());
    channel.once('close', () => resolve());
  });
}

/** Waits for `done` or the end of the connection, whichever is first; gives a tick to what is settled already. */
async function unlessAborted(done: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const finish = () => {
      signal.removeEventListener('abort', finish);
      resolve();
    };
    signal.addEventListener('abort', finish, { once: true });
    void done.then(finish, finish);
  });
}
