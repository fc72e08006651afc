import { DrError, isErrorCode } from '@dr-syncer/api';
import type { FrameWriter } from './frame-writer.js';
import type { FrameOf } from './frames.js';

/** Longest delay that setTimeout takes; more would fire at once. */
const MAX_TIMEOUT_MS = 2_147_483_647;

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: DrError) => void;
}

interface AskOptions {
  readonly signal: AbortSignal | undefined;
  /** 0: none. */
  readonly timeoutMs: number;
}

/**
 * The questions that were asked and wait for their answer. A question that was given up stays counted until its answer
 * has come, for the other side still works on it.
 */
export class Requests {
  readonly #writer: FrameWriter;
  readonly #maxPending: number;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #awaited = 0;
  #ended: DrError | undefined;

  constructor(writer: FrameWriter, maxPending: number) {
    this.#writer = writer;
    this.#maxPending = maxPending;
  }

  /** Questions with a time limit that wait for an answer. */
  get awaited(): number {
    return this.#awaited;
  }

  /** The raw result. @throws DrError as `Peer.request` */
  async ask(method: string, params: unknown, { signal, timeoutMs }: AskOptions): Promise<unknown> {
    if (this.#ended) throw this.#ended;
    if (signal?.aborted) throw cancelled(method);
    if (this.#pending.size >= this.#maxPending) {
      throw new DrError('Busy', `${this.#maxPending} requests wait for an answer already`);
    }
    const id = ++this.#lastId;
    // Throws when the question is too long, so nothing waits for it.
    void this.#writer.send({ t: 'request', id, method, params });
    const answer = new Promise<unknown>((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    const giveUp = (error: DrError) => this.#giveUp(id, error);
    const onAbort = () => giveUp(cancelled(method));
    const onTimeout = () => giveUp(new DrError('Timeout', `no answer to ${method} within ${timeoutMs} ms`));
    const timer = timeoutMs > 0 ? setTimeout(onTimeout, Math.min(timeoutMs, MAX_TIMEOUT_MS)) : undefined;
    signal?.addEventListener('abort', onAbort);
    const counted = timeoutMs > 0 ? 1 : 0;
    this.#awaited += counted;
    try {
      return await answer;
    } finally {
      this.#awaited -= counted;
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /**
   * Takes an answer. One that comes a second time is dropped.
   *
   * @throws DrError BadRequest when it answers a question that was never asked.
   */
  settle(frame: FrameOf<'result'> | FrameOf<'error'>): void {
    if (frame.id > this.#lastId)
      throw new DrError('BadRequest', 'an answer to a question that was not asked');
    const pending = this.#pending.get(frame.id);
    this.#pending.delete(frame.id);
    if (frame.t === 'result') pending?.resolve(frame.result);
    else pending?.reject(receivedError(frame.error));
  }

  endAll(error: DrError): void {
    this.#ended = error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }

  #giveUp(id: number, error: DrError): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    void this.#writer.send({ t: 'cancel', id });
    pending.reject(error);
  }
}

function cancelled(method: string): DrError {
  return new DrError('Cancelled', `${method} was cancelled`);
}

function receivedError({ code, message }: { code: string; message: string }): DrError {
  return isErrorCode(code) ? new DrError(code, message) : new DrError('Internal', `${code}: ${message}`);
}
