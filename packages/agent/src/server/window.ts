import type { Readable } from 'node:stream';

import { type ChannelInternals, channelInternals } from './ssh2-internals.js';

/** lib/Channel.js MAX_WINDOW: what ssh2 opens every channel with and tops up to. */
export const SSH2_WINDOW = 2 * 1024 * 1024;

/** As far as the window of a slow consumer goes down. */
export const SMALLEST_WINDOW = 256 * 1024;
/** Two packets: as good as nothing. */
const PACKET_ROOM = 64 * 1024;
/** A window of twice the size has to bring this much more; a long line brings nearly twice as much. */
const WORTH_IT = 1.25;
/** After it did not, so many windows' worth pass before it is tried again. */
const HOLD = 16;

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
 * It begins with ssh2's 2 MiB, or with `max` if that is less, and climbs: doubled, up to `max` and to what the budget has left, it stays so only if
 * data then comes markedly faster, as it does over a long line, where a window's worth comes each round trip. Otherwise
 * the window was not the limit and would only be memory. If a quarter of it waits to be read on average, the
 * consumer is the limit, and it is halved. At any time what the peer may still send plus what waits to be read is at most the size
 * (or what had been allowed before it shrank), so a consumer that stopped costs that much memory and no more.
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
  /** Since the size was looked at last: when that was, bytes and chunks taken, and what waited at those moments. */
  #since: number;
  #taken = 0;
  #chunks = 0;
  #leastWaiting = Infinity;
  #sumWaiting = 0;
  /** After growing: bytes a millisecond before it, and whether the window's worth under way still is to settle. */
  #trial: { readonly rate: number; settle: boolean } | undefined;
  /** Windows' worth before growing is tried again. */
  #hold = 0;

  /** `now`: milliseconds. */
  constructor(
    channel: Readable,
    max: number,
    budget: WindowBudget,
    now: () => number = () => performance.now(),
  ) {
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
    this.#chunks += 1;
    const waiting = this.#channel.readableLength;
    this.#leastWaiting = Math.min(this.#leastWaiting, waiting);
    this.#sumWaiting += waiting;
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
    if (this.#sumWaiting / this.#chunks > this.#size / 4) this.#shrink();
    else if (this.#trial !== undefined) this.#judge(this.#trial, rate);
    else if (this.#hold > 0 && this.#size >= SSH2_WINDOW) this.#hold -= 1;
    else if (this.#leastWaiting < PACKET_ROOM) this.#grow(rate);
    this.#since = now;
    this.#taken = 0;
    this.#chunks = 0;
    this.#leastWaiting = Infinity;
    this.#sumWaiting = 0;
  }

  #grow(rate: number): void {
    if (this.#size * 2 > this.#max) return;
    if (this.#size < SSH2_WINDOW) {
      this.#size *= 2;
      return;
    }
    if (!this.#budget.take(this.#size)) return;
    this.#size *= 2;
    this.#largest = Math.max(this.#largest, this.#size);
    // The peer knows of it only a round trip later.
    this.#trial = { rate, settle: true };
  }

  #judge(trial: { readonly rate: number; settle: boolean }, rate: number): void {
    if (trial.settle) {
      trial.settle = false;
      return;
    }
    this.#trial = undefined;
    if (rate < WORTH_IT * trial.rate) this.#shrink();
  }

  #shrink(): void {
    this.#trial = undefined;
    this.#hold = HOLD;
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
