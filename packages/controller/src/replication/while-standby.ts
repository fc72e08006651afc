import { DrError } from '@dr-syncer/api';
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
  await checkStandby(remote, namespace, signal);
  const linked = linkedController(signal);
  const { controller } = linked;
  let active: DrError | undefined;
  const watching = look(remote, namespace, controller.signal).catch((err: unknown) => {
    if (!(err instanceof DrError) || err.code !== 'StandbyActive') return;
    active = err;
    controller.abort(err);
  });
  try {
    return await work(controller.signal);
  } catch (err) {
    throw active ?? err;
  } finally {
    linked.unlink();
    controller.abort();
    await watching;
  }
}

/** Until the signal aborts; a look that fails says nothing. @throws DrError StandbyActive */
async function look(remote: KubeClient, namespace: string, signal: AbortSignal): Promise<never> {
  for (;;) {
    await sleep(LOOK_MS, signal);
    try {
      await checkStandby(remote, namespace, signal);
    } catch (err) {
      if (err instanceof DrError) throw err;
      signal.throwIfAborted();
    }
  }
}
