import { DrError } from '@dr-syncer/api';
import { isAborted, jittered, kubeToDrError, sleep } from '@dr-syncer/kube';
import type { Logger } from '@dr-syncer/runtime';

import type { Engine, OpenEngine } from '../engine/index.js';

interface Live {
  readonly open: OpenEngine;
  readonly fingerprint: string;
  readonly stop: AbortController;
  readonly tending: Promise<void>;
}

export interface LiveStandbysOptions {
  readonly logger: Logger;
  /** Types are looked for anew this often, besides being told of changes. */
  readonly retypeMs?: number;
  /** Everything is compared this often, in case an event was lost. */
  readonly compareMs?: number;
}

const RETYPE_MS = 30_000;
const COMPARE_MS = 10 * 60_000;

/** The engines of Replications in mode Continuous, which follow both ends for as long as the spec stays as it is. */
export class LiveStandbys {
  readonly #options: LiveStandbysOptions;
  readonly #live = new Map<string, Live>();

  constructor(options: LiveStandbysOptions) {
    this.#options = options;
  }

  get(key: string): Engine | undefined {
    return this.#live.get(key)?.open.engine;
  }

  isCurrent(key: string, fingerprint: string): boolean {
    return this.#live.get(key)?.fingerprint === fingerprint;
  }

  /** The engine of the key for this fingerprint; another one is closed first. */
  async use(key: string, fingerprint: string, open: () => OpenEngine): Promise<Engine> {
    const known = this.#live.get(key);
    if (known?.fingerprint === fingerprint) return known.open.engine;
    await this.stop(key);
    const opened = open();
    const stop = new AbortController();
    const tending = this.#tend(key, opened.engine, stop.signal);
    this.#live.set(key, { open: opened, fingerprint, stop, tending });
    return opened.engine;
  }

  async stop(key: string): Promise<void> {
    const live = this.#live.get(key);
    if (live === undefined) return;
    this.#live.delete(key);
    live.stop.abort(new DrError('Cancelled', 'the standby is not followed any more'));
    await live.open.close();
    await live.tending;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#live.keys()].map((key) => this.stop(key)));
  }

  async #tend(key: string, engine: Engine, signal: AbortSignal): Promise<void> {
    const { logger, retypeMs = RETYPE_MS, compareMs = COMPARE_MS } = this.#options;
    let compareAt = performance.now() + jittered(compareMs, 0.2);
    while (await rested(jittered(retypeMs, 0.2), signal)) {
      try {
        if (performance.now() < compareAt) {
          await engine.retype(signal);
          continue;
        }
        compareAt = performance.now() + jittered(compareMs, 0.2);
        await engine.pass(signal);
      } catch (err) {
        if (!isAborted(signal))
          logger.warn('the standby could not be compared', { key, err: kubeToDrError(err) });
      }
    }
  }
}

/** `false`: the time is not over, but the signal has aborted. */
function rested(ms: number, signal: AbortSignal): Promise<boolean> {
  return sleep(ms, signal).then(
    () => true,
    () => false,
  );
}
