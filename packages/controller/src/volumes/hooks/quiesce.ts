import { DrError, type ErrorCode, type HookResult, type OpenHook } from '@dr-syncer/api';
import { isAborted, type KubeClient, sleep } from '@dr-syncer/kube';

import type { News } from '../identity-conditions.js';
import type { HookBook } from './hook-book.js';
import { type HookEnd, type HookPlace, runHook } from './run-hook.js';
import type { HookSession, PlannedHook } from './sessions.js';

export interface QuiesceOptions {
  /** Of the source cluster. */
  readonly client: Pick<KubeClient, 'find' | 'exec'>;
  readonly book: HookBook;
  /**
   * Ends post hooks. Not the signal of the sync: what was begun is undone when that is cancelled, too. It aborts when
   * this process may do nothing any more, and what is owed then is the matter of the one that comes next.
   */
  readonly undo: AbortSignal;
  readonly tell: (news: News) => void;
  readonly ended: (when: HookResult['when'], result: HookEnd['result'], seconds: number) => void;
}

/** Attempts at a post hook before the sync says that it failed; the reconciler goes on with it. */
const ATTEMPTS = 3;
const WAIT_MS = 1_000;

/** Brings pods to rest around the copying of their volumes, and back: whatever was begun is undone. */
export class Quiesce {
  readonly #options: QuiesceOptions;
  readonly #namespace: string;
  /** By session: what is owed to it. */
  readonly #owed = new Map<HookSession, readonly OpenHook[]>();
  /** Those of which a pre hook may have done something. */
  readonly #begun = new Set<HookSession>();

  constructor(options: QuiesceOptions, namespace: string) {
    this.#options = options;
    this.#namespace = namespace;
  }

  /** Has it on record what is to be undone, before anything is done. @throws KubeError, DrError */
  async begin(sessions: readonly HookSession[], signal: AbortSignal): Promise<void> {
    const since = new Date().toISOString();
    for (const session of sessions) {
      if (session.pre.length === 0) continue;
      const place = this.#placeOf(session);
      this.#owed.set(
        session,
        session.post.map((hook) => ({ ...place, ...hook, command: [...hook.command], since })),
      );
    }
    await this.#options.book.owe([...this.#owed.values()].flat(), signal);
  }

  /** @returns why the volumes of the session are not to be copied */
  async pre(session: HookSession, signal: AbortSignal): Promise<DrError | undefined> {
    for (const hook of session.pre) {
      // A process that is ended here leaves it on record; one that goes on has it undone by `post`.
      this.#begun.add(session);
      let end: HookEnd;
      try {
        end = await runHook(this.#options.client, this.#placeOf(session), hook, signal);
      } catch (err) {
        return new DrError('Cancelled', `the sync was ended during a pre hook in pod ${session.pod}`, {
          cause: err,
        });
      }
      if (!end.begun && hook === session.pre[0]) this.#begun.delete(session);
      this.#note(session.pod, hook, 'Pre', end);
      // Without the right to do it, or without the pod, "Continue" would hide that nothing ever happens.
      const mayContinue = hook.onError === 'Continue' && end.result !== 'NotPermitted';
      if (end.result !== 'Succeeded' && !mayContinue) return problemOf(session.pod, hook, 'pre', end);
    }
    return undefined;
  }

  /**
   * Undoes what `pre` has begun, and runs post hooks that need no pre hook.
   *
   * @returns what went wrong; what is still owed then stays on record
   */
  async post(session: HookSession): Promise<DrError | undefined> {
    const { book } = this.#options;
    const owed = this.#owed.get(session);
    if (owed !== undefined && !this.#begun.has(session)) {
      await book.settle(owed);
      return undefined;
    }
    let problem: DrError | undefined;
    for (const hook of owed ?? session.post) {
      problem ??= await this.run(
        this.#placeOf(session),
        hook,
        owed === undefined ? undefined : (hook as OpenHook),
      );
    }
    return problem;
  }

  /**
   * One post hook, until it has succeeded or there is nothing to undo any more.
   *
   * @param entry of the record, if it is on record: settled when nothing is owed any more
   */
  async run(place: HookPlace, hook: PlannedHook, entry: OpenHook | undefined): Promise<DrError | undefined> {
    const { client, book, undo } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      let end: HookEnd;
      try {
        end = await runHook(client, place, hook, undo);
      } catch {
        return new DrError('HookFailed', `the post hook in pod ${place.pod} is left to the next controller`);
      }
      const settled = isSettled(hook, end);
      if (!settled && attempt < ATTEMPTS && !isAborted(undo)) {
        await sleep(WAIT_MS * attempt, undo).catch(() => undefined);
        continue;
      }
      this.#note(place.pod, hook, 'Post', end);
      if (settled && entry !== undefined) await book.settle([entry]);
      if (end.result === 'Succeeded') return undefined;
      return settled && end.result !== 'PodGone' ? undefined : problemOf(place.pod, hook, 'post', end);
    }
  }

  #placeOf({ pod, podUid }: HookSession): HookPlace {
    return { namespace: this.#namespace, pod, podUid };
  }

  #note(pod: string, hook: PlannedHook, when: HookResult['when'], end: HookEnd): void {
    const { book, tell, ended } = this.#options;
    const { result, exitCode, message, milliseconds } = end;
    book.note({
      ...{ pod, container: hook.container, when, result, milliseconds, time: new Date().toISOString() },
      ...(exitCode !== undefined && { exitCode }),
      ...(message !== undefined && { message }),
    });
    ended(when, result, milliseconds / 1000);
    if (result === 'Succeeded') return;
    const problem = problemOf(pod, hook, when === 'Pre' ? 'pre' : 'post', end);
    tell({ type: 'Warning', reason: problem.code, action: 'RunHook', message: problem.message });
  }
}

/**
 * Whether a post hook is owed no more: it has succeeded, its pod is gone, or it has failed and that does not matter.
 * One that has not been run stays owed. Pure.
 */
export function isSettled({ onError }: Pick<PlannedHook, 'onError'>, { result, begun }: HookEnd): boolean {
  if (result === 'Succeeded' || result === 'PodGone') return true;
  return onError === 'Continue' && begun && result !== 'Unreachable';
}

function problemOf(pod: string, { container }: PlannedHook, when: 'pre' | 'post', end: HookEnd): DrError {
  const code: ErrorCode = end.result === 'NotPermitted' ? 'HookNotPermitted' : 'HookFailed';
  const how = end.exitCode === undefined ? (end.message ?? end.result) : `exit code ${end.exitCode}`;
  return new DrError(code, `${when} hook in pod ${pod}, container ${container}: ${how}`);
}
