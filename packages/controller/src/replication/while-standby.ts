import { DrError, type ErrorCode } from '@dr-syncer/api';
import { type KubeClient, linkedController, sleep } from '@dr-syncer/kube';

import { checkStandby } from '../engine/index.js';

const LOOK_MS = 5_000;

/**
 * Does the work while the namespace is a standby, and ends it when somebody makes it active.
 *
 * @throws DrError StandbyActive; what `work` throws
 */
export async function whileStandby<T>(
  remote: KubeClient,
  namespace: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return watched((at) => checkStandby(remote, namespace, at), 'StandbyActive', signal, work);
}

/**
 * Does the work while `look` finds nothing against it; it is asked before and every few seconds.
 *
 * @param code of the finding that ends the work; a look that fails otherwise says nothing
 * @throws DrError of that code; what `work` throws
 */
export async function watched<T>(
  look: (signal: AbortSignal) => Promise<void>,
  code: ErrorCode,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  await look(signal);
  const linked = linkedController(signal);
  const { controller } = linked;
  let found: DrError | undefined;
  const watching = untilFound(look, controller.signal).catch((err: unknown) => {
    if (!(err instanceof DrError) || err.code !== code) return;
    found = err;
    controller.abort(err);
  });
  try {
    return await work(controller.signal);
  } catch (err) {
    throw found ?? err;
  } finally {
    linked.unlink();
    controller.abort();
    await watching;
  }
}

/** Until the signal aborts; a look that fails says nothing. @throws DrError */
async function untilFound(look: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<never> {
  for (;;) {
    await sleep(LOOK_MS, signal);
    try {
      await look(signal);
    } catch (err) {
      if (err instanceof DrError) throw err;
      signal.throwIfAborted();
    }
  }
}
