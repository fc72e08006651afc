import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { isErrorLike } from './error-like.js';

/**
 * Runs `work` with a signal that aborts when `outer` does or after `ms`; the reason of the latter is `onTimeout()`.
 *
 * `AbortSignal.any` would say the same, but on Node 20 each use leaves an entry in a long-lived source signal
 * (nodejs/node issue 54614), and ours live as long as the process.
 */
export async function withDeadline<T>(
  outer: AbortSignal | undefined,
  ms: number,
  onTimeout: () => Error,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const linked = linkedController(outer);
  const timer = setTimeout(() => linked.controller.abort(onTimeout()), ms);
  try {
    linked.controller.signal.throwIfAborted();
    return await work(linked.controller.signal);
  } finally {
    clearTimeout(timer);
    linked.unlink();
  }
}

export interface LinkedController {
  readonly controller: AbortController;
  /** Must be called once the controller is no longer used. */
  unlink(): void;
}

/** A controller that also aborts when `outer` does, for parts that need to end their own work as well. */
export function linkedController(outer: AbortSignal | undefined): LinkedController {
  const controller = new AbortController();
  const abort = (): void => controller.abort(outer?.reason);
  if (outer?.aborted === true) abort();
  if (outer !== undefined) expectMany(outer);
  outer?.addEventListener('abort', abort, { once: true });
  return { controller, unlink: () => outer?.removeEventListener('abort', abort) };
}

/** As a function, because the compiler takes the property for a constant within a loop or after an await. */
export function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** Waits `ms`; rejects with the signal's reason when that aborts. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
  } catch (err) {
    signal?.throwIfAborted();
    throw err;
  }
}

/** Stops waiting for `promise` when the signal aborts; what it stands for goes on. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  signal.throwIfAborted();
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(asError(signal.reason));
    expectMany(signal);
    signal.addEventListener('abort', abort, { once: true });
    promise
      .then(resolve, (err: unknown) => reject(asError(err)))
      .finally(() => signal.removeEventListener('abort', abort));
  });
}

/** Each call under way listens; Node.js would take more than ten for a leak. */
function expectMany(signal: AbortSignal): void {
  setMaxListeners(Infinity, signal);
}

function asError(value: unknown): Error {
  return isErrorLike(value) ? value : new Error(String(value));
}
