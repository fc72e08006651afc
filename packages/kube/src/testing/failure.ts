import { inspect } from 'node:util';
import { KubeError } from '../kube-error.js';

/** In tokens and bodies of fakes; no error may hold it. */
export const LEAK_MARK = 'must-not-leak';

/** The `KubeError` that a call ends with. Fails when it succeeds, throws something else, or leaks. */
export async function failure(promise: Promise<unknown>): Promise<KubeError> {
  try {
    await promise;
  } catch (err) {
    const shown = inspect(err, { depth: 10, showHidden: true });
    if (shown.includes(LEAK_MARK)) throw new Error(`the error leaks: ${shown}`);
    if (err instanceof KubeError) return err;
    throw err;
  }
  throw new Error('the call did not fail');
}
