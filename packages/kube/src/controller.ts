import { DrError } from '@dr-syncer/api';
import { jittered } from './backoff.js';
import { contained } from './contained.js';
import { withDeadline } from './deadline.js';
import { kubeToDrError } from './kube-error.js';
import type { WorkQueue } from './work-queue.js';

export interface ReconcileResult {
  /** Come again after this, at the latest. */
  readonly requeueAfterMs?: number | undefined;
}

export interface ReconcileSample {
  readonly controller: string;
  readonly outcome: 'success' | 'requeue' | 'retry' | 'wait' | 'terminal' | 'cancelled';
  readonly seconds: number;
}

export interface ControllerOptions {
  readonly name: string;
  readonly queue: WorkQueue;
  /** Keys that are worked on at the same time; never the same key twice. */
  readonly workers: number;
  /** Level-triggered: gets a key and nothing else, reads the world and makes one step towards what is wanted. */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<ReconcileResult | undefined>;
  /** Bounds one run. Default 5 min. */
  readonly timeoutMs?: number;
  /** After an error of kind "wait", in case the change that heals it is not watched. ±20 %. Default 60 s. */
  readonly waitRetryMs?: number;
  /** `retryInMs` is absent for terminal errors: the key comes again when something is changed. */
  readonly onError?: (key: string, err: DrError, retryInMs: number | undefined) => void;
  readonly onReconcile?: (sample: ReconcileSample) => void;
}

const DEFAULT_TIMEOUT_MS = 5 * 60_000;
const DEFAULT_WAIT_RETRY_MS = 60_000;

/**
 * Works through a queue until the signal aborts; then no new key is taken and the runs that are under way, which see
 * the same signal, are waited for. No error of a run ends it.
 */
export async function runController(options: ControllerOptions, signal: AbortSignal): Promise<void> {
  const { queue, workers } = options;
  const stop = (): void => queue.shutdown();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    await Promise.all(Array.from({ length: workers }, () => work(options, signal)));
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function work(options: ControllerOptions, signal: AbortSignal): Promise<void> {
  const { queue, name } = options;
  for (;;) {
    const key = await queue.get(signal);
    if (key === undefined) return;
    const begun = performance.now();
    const outcome = await once(options, key, signal);
    queue.done(key);
    contained(() =>
      options.onReconcile?.({ controller: name, outcome, seconds: (performance.now() - begun) / 1000 }),
    );
  }
}

async function once(
  options: ControllerOptions,
  key: string,
  signal: AbortSignal,
): Promise<ReconcileSample['outcome']> {
  const { queue, reconcile, name, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const timeout = (): Error => new DrError('Timeout', `${name} took longer than ${timeoutMs} ms`);
  try {
    const result = await withDeadline(signal, timeoutMs, timeout, (bounded) => reconcile(key, bounded));
    queue.forget(key);
    if (result?.requeueAfterMs === undefined) return 'success';
    queue.addAfter(key, result.requeueAfterMs);
    return 'requeue';
  } catch (err) {
    return signal.aborted ? 'cancelled' : failed(options, key, kubeToDrError(err));
  }
}

function failed(options: ControllerOptions, key: string, err: DrError): ReconcileSample['outcome'] {
  const { queue } = options;
  let retryInMs: number | undefined;
  if (err.kind === 'retry') {
    retryInMs = queue.addRateLimited(key);
  } else {
    queue.forget(key);
    if (err.kind === 'wait') {
      retryInMs = jittered(options.waitRetryMs ?? DEFAULT_WAIT_RETRY_MS, 0.2);
      queue.addAfter(key, retryInMs);
    }
  }
  contained(() => options.onError?.(key, err, retryInMs));
  return err.kind;
}
