import { type Context, createContext, Script } from 'node:vm';

/** Thrown when a function has taken too long. */
export class TimeLimitError extends Error {
  override readonly name = 'TimeLimitError';
}

/**
 * Runs synchronous functions that could take very long, and ends them. The function itself is ours and runs with what
 * it has; the machinery of `vm` is used for nothing but its timeout, which ends what runs inside of a call.
 */
export class TimeLimit {
  readonly #script = new Script('run()');
  /** Costs a megabyte, so it is made when it is needed first. */
  #box: Context | undefined;

  /** @throws TimeLimitError; whatever `work` throws */
  run<T>(work: () => T, ms: number): T {
    const box = (this.#box ??= createContext({}));
    box['run'] = work;
    try {
      return this.#script.runInContext(box, { timeout: ms }) as T;
    } catch (err) {
      if ((err as { code?: unknown } | undefined)?.code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw err;
      throw new TimeLimitError(`not done within ${ms} ms`);
    } finally {
      box['run'] = undefined;
    }
  }
}
