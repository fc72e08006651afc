import { DrError, HOOKS_FINALIZER, type HookResult, type HooksStatus, type OpenHook } from '@dr-syncer/api';
import { addFinalizer, type KubeClient, type ObjectRef, removeFinalizer, sleep } from '@dr-syncer/kube';

const ATTEMPTS = 4;
const WAIT_MS = 200;
const MAX_RESULTS = 50;

export interface HookBookOptions {
  readonly client: KubeClient;
  /** The Replication. */
  readonly ref: ObjectRef;
  readonly status: HooksStatus | undefined;
  /** Resolves when the server has it. */
  readonly save: (status: HooksStatus | undefined) => Promise<void>;
}

/**
 * Which post hooks are owed, in the status of the Replication: it is there before the first pre hook begins, and a
 * finalizer with it, so that whoever comes after a crash knows what to undo, even if the Replication was deleted.
 */
export class HookBook {
  readonly #options: HookBookOptions;
  #open: readonly OpenHook[];
  #results: readonly HookResult[];

  constructor(options: HookBookOptions) {
    this.#options = options;
    this.#open = options.status?.open ?? [];
    this.#results = options.status?.results ?? [];
  }

  get open(): readonly OpenHook[] {
    return this.#open;
  }

  get results(): readonly HookResult[] {
    return this.#results;
  }

  /** The results are those of a new sync from here on. */
  forgetResults(): void {
    this.#results = [];
  }

  /** Brings the results to the server. @throws KubeError */
  async save(): Promise<void> {
    await this.#save();
  }

  /** @throws KubeError, DrError: it is not certain that they would be known to whoever comes next */
  async owe(hooks: readonly OpenHook[], signal: AbortSignal): Promise<void> {
    if (hooks.length === 0) return;
    await this.#finalizer(addFinalizer, signal);
    this.#open = [...this.#open, ...hooks];
    await this.#save();
  }

  note(result: HookResult): void {
    this.#results = [...this.#results, result].slice(-MAX_RESULTS);
  }

  /** They are owed no more. One that stays on record because that could not be written is undone once more. */
  async settle(hooks: readonly OpenHook[]): Promise<void> {
    this.#open = this.#open.filter((one) => !hooks.includes(one));
    await this.#save().catch(() => undefined);
    // One that stays behind is taken away by the reconciler.
    if (this.#open.length === 0) await this.#finalizer(removeFinalizer).catch(() => undefined);
  }

  async #save(): Promise<void> {
    const [open, results] = [[...this.#open], [...this.#results]];
    const status = { ...(open.length > 0 && { open }), ...(results.length > 0 && { results }) };
    await this.#options.save(Object.keys(status).length === 0 ? undefined : status);
  }

  async #finalizer(
    change: typeof addFinalizer | typeof removeFinalizer,
    signal?: AbortSignal,
  ): Promise<void> {
    const { client, ref } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const object = await client.get(ref, { signal });
        await change(client, ref.resource, object, HOOKS_FINALIZER, { signal });
        return;
      } catch (err) {
        if (!(err instanceof DrError) || err.code !== 'ObjectChanged' || attempt === ATTEMPTS) throw err;
        await sleep(WAIT_MS, signal);
      }
    }
  }
}
