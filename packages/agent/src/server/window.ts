import type { Readable } from 'node:stream';

import { type ChannelInternals, channelInternals } from './ssh2-internals.js';

/** lib/Channel.js MAX_WINDOW: what ssh2 opens every channel with and tops up to. */
export const SSH2_WINDOW = 2 * 1024 * 1024;

/** As far as the window of a slow consumer goes down. */
export const SMALLEST_WINDOW = 256 * 1024;
/** Two packets: as good as nothing. */
const PACKET_ROOM = 64 * 1024;
/**
 * Of the size: what is on its way over the line when the window may be what limits it, and when it is far too large. Half,
 * because taking a window's worth takes its time as well, and a window of twice what a line holds does no harm.
 */
const LIMITS = 0.5;
const NEEDLESS = 1 / 8;

/** Shares a number of bytes between the receive windows of all sessions. */
export class WindowBudget {
  readonly #total: number;
  readonly #observer: WindowBudgetObserver;
  #taken = 0;

  constructor(total: number, observer: WindowBudgetObserver = {}) {
    this.#total = total;
    this.#observer = observer;
  }

  /** All of `bytes`, or nothing. */
  take(bytes: number): boolean {
    if (this.#taken + bytes > this.#total) {
      this.#observer.refused?.();
      return false;
    }
    this.#change(bytes);
    return true;
  }

  giveBack(bytes: number): void {
    this.#change(-bytes);
  }

  #change(bytes: number): void {
    this.#taken += bytes;
    this.#observer.taken?.(this.#taken);
  }
}

export interface WindowBudgetObserver {
  /** Bytes that are taken now. */
  readonly taken?: (bytes: number) => void;
  readonly refused?: () => void;
}

/**
 * The receive window of a session's channel, kept here instead of by ssh2. ssh2 has 2 MiB in flight, which is 20 MB/s
 * over 50 ms where OpenSSH's server does 37; 16 MiB give 170 (512 MiB through a delay proxy). On a short line even
 * 2 MiB only wait in memory, where V8 takes them for long-lived: with eight streams the process has 190 MiB, with
 * windows of 256 KiB 130.
 *
 * It begins with ssh2's 2 MiB, or with `max` if that is less. Each time that so much has come it is looked at again. If
 * more than half of it came in a round trip and there was a moment in which nothing waited to be read, it is doubled, up to
 * `max` and to what the budget has left; if less than an eighth did, it is halved. It is halved as well if never less than a
 * quarter of it waited: then the consumer is the limit. What a long line brings in bursts waits, too, but is read before the
 * next one. At any time what the peer may still send plus what waits to be read is at most the size (or what had been
 * allowed before it shrank), so a consumer that stopped costs that much memory and no more.
 *
 * With an ssh2 that is built differently nothing is changed.
 */
export class ReceiveWindow {
  readonly #channel: Readable;
  readonly #internals: ChannelInternals | undefined;
  readonly #max: number;
  readonly #budget: WindowBudget;
  #size: number;
  #largest: number;
  readonly #now: () => number;
  readonly #roundTripMs: number;
  /** Since the size was looked at last: when that was, bytes taken, and what at least waited when some were. */
  #since: number;
  #taken = 0;
  #leastWaiting = Infinity;

  /**
   * @param line.max the largest size
   * @param line.roundTripMs Infinity: not known, a larger window may always help
   * @param now milliseconds
   */
  constructor(
    channel: Readable,
    { max, roundTripMs }: { readonly max: number; readonly roundTripMs: number },
    budget: WindowBudget,
    now: () => number = () => performance.now(),
  ) {
    this.#roundTripMs = roundTripMs;
    this.#now = now;
    this.#since = now();
    this.#channel = channel;
    this.#internals = channelInternals(channel);
    this.#max = Math.max(max, SMALLEST_WINDOW);
    this.#size = Math.min(SSH2_WINDOW, this.#max);
    this.#largest = this.#size;
    this.#budget = budget;
    if (this.#internals !== undefined) stopTopUpsOfSsh2(this.#internals);
  }

  get size(): number {
    return this.#size;
  }

  /** The largest size there ever was. */
  get largest(): number {
    return this.#largest;
  }

  /** To be called when `bytes` have been taken from the channel. */
  took(bytes: number): void {
    if (this.#internals === undefined) return;
    this.#taken += bytes;
    this.#leastWaiting = Math.min(this.#leastWaiting, this.#channel.readableLength);
    if (this.#taken >= this.#size) this.#resize();
    this.#topUp(this.#internals);
  }

  /** Gives back its share of the budget. */
  close(): void {
    if (this.#size > SSH2_WINDOW) this.#budget.giveBack(this.#size - SSH2_WINDOW);
    this.#size = SMALLEST_WINDOW;
  }

  #resize(): void {
    const now = this.#now();
    const rate = this.#taken / Math.max(now - this.#since, 0.001);
    const underWay = (rate * this.#roundTripMs) / this.#size;
    if (this.#leastWaiting > this.#size / 4) this.#shrink();
    else if (this.#size > SSH2_WINDOW && underWay < NEEDLESS) this.#shrink();
    else if (this.#leastWaiting < PACKET_ROOM && (this.#size < SSH2_WINDOW || underWay > LIMITS))
      this.#grow();
    this.#since = now;
    this.#taken = 0;
    this.#leastWaiting = Infinity;
  }

  #grow(): void {
    if (this.#size * 2 > this.#max) return;
    if (this.#size >= SSH2_WINDOW && !this.#budget.take(this.#size)) return;
    this.#size *= 2;
    this.#largest = Math.max(this.#largest, this.#size);
  }

  #shrink(): void {
    if (this.#size === SMALLEST_WINDOW) return;
    this.#size /= 2;
    if (this.#size >= SSH2_WINDOW) this.#budget.giveBack(this.#size);
  }

  #topUp({ incoming, outgoing, _client }: ChannelInternals): void {
    const missing = this.#size - incoming.window - this.#channel.readableLength;
    if (missing < this.#size / 8 || outgoing.state === 'closed' || incoming.state !== 'open') return;
    incoming.window += missing;
    _client._protocol.channelWindowAdjust(outgoing.id, missing);
  }
}

/**
 * ssh2 tops a window up to 2 MiB of its own accord in two places (server.js CHANNEL_DATA, unless `push` said to wait,
 * and Channel.js `_read`, which has no other purpose).
 */
function stopTopUpsOfSsh2(internals: ChannelInternals): void {
  const push = internals.push.bind(internals);
  internals.push = (chunk) => {
    push(chunk);
    return false;
  };
  internals._read = () => undefined;
}

/**
 * Calls `onViolation` when the peer sends more than its window allows. ssh2 only checks for a window of exactly zero
 * ("TODO: raise error on data with not enough window?", server.js CHANNEL_DATA): with one packet too many the window
 * is negative and the peer could fill the memory.
 */
export function guardReceiveWindow(channel: Readable, onViolation: () => void): void {
  const internals = channelInternals(channel);
  if (internals === undefined) return;
  const push = internals.push.bind(channel);
  internals.push = (chunk) => {
    if (chunk !== null && internals.incoming.window < 0) {
      onViolation();
      return false;
    }
    return push(chunk);
  };
}

/** Keys are being exchanged again: ssh2 queues all that is written, without a bound, until that is done. */
export function isRekeying(channel: Readable): boolean {
  return channelInternals(channel)?._client._protocol._kexinit !== undefined;
}

/** Bytes that can be written to the channel's standard error now without waiting for the peer. */
export function sendableNow(channel: Readable): number {
  const internals = channelInternals(channel);
  if (internals === undefined) return SSH2_WINDOW;
  return internals.outgoing.state === 'open' ? internals.outgoing.window : 0;
}
