import { annotation, DrError, type Replication, type VolumeStatus } from '@dr-syncer/api';

import type { HookBook } from '../volumes/hooks/hook-book.js';
import { Quiesce, type QuiesceOptions } from '../volumes/hooks/quiesce.js';
import type { HookSession } from '../volumes/hooks/sessions.js';
import type { News } from '../volumes/identity-conditions.js';
import { type CopyOptions, copyVolume, type Way } from './copy-volume.js';
import { hookSessions } from './hook-sessions.js';

export interface HookServices {
  readonly book: HookBook;
  readonly undo: AbortSignal;
  readonly ended: QuiesceOptions['ended'];
}

export interface CopyAtRestOptions extends CopyOptions {
  readonly hooks: HookServices;
  /** About the Replication. */
  readonly tell: (news: News) => void;
}

/**
 * Copies volumes while the pods that use them are at rest: once before, so that the rest is short, then pre hooks, the
 * copy that counts, and post hooks.
 */
export class CopyAtRest {
  readonly #options: CopyAtRestOptions;
  readonly #way: Way;
  readonly #sessions: readonly HookSession[];
  readonly #signal: AbortSignal;
  readonly #quiesce: Quiesce;
  /** By claim: why it is not copied, or its copy not good. */
  readonly #refused = new Map<string, DrError>();
  /** Claims whose copy has failed by itself. */
  readonly #failed = new Set<string>();
  /** By claim: its success, which is told when its pods are known to have been at rest. */
  readonly #held = new Map<string, Partial<VolumeStatus>>();

  constructor(options: CopyAtRestOptions, way: Way, sessions: readonly HookSession[], signal: AbortSignal) {
    this.#options = options;
    this.#way = way;
    this.#sessions = sessions;
    this.#signal = signal;
    const { namespace, cluster } = way.source;
    const { hooks, tell } = options;
    this.#quiesce = new Quiesce({ ...hooks, client: cluster.client, tell }, namespace.metadata.name);
  }

  /** @returns what went wrong with a post hook @throws KubeError, DrError */
  async run(): Promise<DrError | undefined> {
    const { hooks } = this.#options;
    hooks.book.forgetResults();
    for (const session of this.#sessions)
      this.#refuse(session, session.problem ?? stillOwed(session, hooks.book));
    if (this.#isFirstPassDue()) await this.#firstPass();
    this.#signal.throwIfAborted();
    // Nobody is brought to rest for copies that can't be made.
    const sessions = this.#sessions.filter(({ claims }) => this.#copied(claims).length > 0);
    await this.#quiesce.begin(sessions, this.#signal);
    await Promise.all(
      sessions.map(async (session) => {
        this.#refuse(session, await this.#quiesce.pre(session, this.#signal));
      }),
    );
    const problem = await this.#copyAndUndo(sessions);
    await hooks.book.save();
    if (!this.#signal.aborted) await this.#settle(sessions);
    return problem;
  }

  #isFirstPassDue(): boolean {
    const { firstPass = true } = this.#options.replication.spec.pvcConfig.hooks ?? {};
    return firstPass && this.#sessions.some(({ pre }) => pre.length > 0);
  }

  #refuse(session: HookSession, problem: DrError | undefined): void {
    if (problem === undefined) return;
    for (const claim of session.claims) this.#refused.set(claim, problem);
  }

  #copied(claims: readonly string[]): string[] {
    return claims.filter((claim) => !this.#refused.has(claim) && !this.#failed.has(claim));
  }

  get #claims(): string[] {
    return [...new Set(this.#sessions.flatMap(({ claims }) => claims))];
  }

  /** While the application goes on. Of no use as a copy, so nothing is checked and no success told. */
  async #firstPass(): Promise<void> {
    const { replication } = this.#options;
    const options = { ...this.#options, replication: unverified(replication), pass: 'first' };
    await Promise.all(
      this.#copied(this.#claims).map((claim) =>
        copyVolume({ ...options, progress: this.#sink(() => undefined) }, claim, this.#way, this.#signal),
      ),
    );
  }

  async #copyAndUndo(sessions: readonly HookSession[]): Promise<DrError | undefined> {
    // Each rest has transfers of its own: one that a controller left at work when it ended went on without rest.
    const options = { ...this.#options, pass: new Date().toISOString() };
    const copies = new Map(
      this.#copied(sessions.flatMap(({ claims }) => claims)).map((claim) => {
        const progress = this.#sink((fields) => this.#held.set(claim, fields));
        return [claim, copyVolume({ ...options, progress }, claim, this.#way, this.#signal)] as const;
      }),
    );
    const problems = await Promise.all(
      sessions.map(async (session) => {
        await Promise.all(session.claims.flatMap((claim) => copies.get(claim) ?? []));
        return this.#quiesce.post(session);
      }),
    );
    return problems.find((problem) => problem !== undefined);
  }

  /** Tells success of the copies whose pods were at rest all the time, and why the others are no good. */
  async #settle(sessions: readonly HookSession[]): Promise<void> {
    const { progress, changed } = this.#options;
    const now = await hookSessions(this.#options, [...this.#held.keys()], this.#way, this.#signal);
    for (const session of sessions) {
      const counts = session.pre.length > 0 && session.claims.some((claim) => this.#held.has(claim));
      if (!counts || now.some(({ podUid }) => podUid === session.podUid)) continue;
      this.#refuse(session, restless(session, 'has ended'));
    }
    for (const session of now.filter(({ pre }) => pre.length > 0)) {
      if (sessions.some(({ podUid }) => podUid === session.podUid)) continue;
      this.#refuse(session, restless(session, 'has begun'));
    }
    for (const [claim, fields] of this.#held) if (!this.#refused.has(claim)) progress.volume(claim, fields);
    for (const [claim, { code, message, remedy }] of this.#refused) {
      progress.volume(claim, { phase: 'Failed', reason: code, message: `${message}. ${remedy}` });
    }
    changed();
  }

  /** Progress as it is, but for success. */
  #sink(succeeded: (fields: Partial<VolumeStatus>) => void): CopyOptions['progress'] {
    const { progress } = this.#options;
    return {
      volume: (claim, fields) => {
        if (fields.phase === 'Failed') this.#failed.add(claim);
        if (fields.phase === 'Succeeded') succeeded(fields);
        progress.volume(claim, fields.phase === 'Succeeded' ? { phase: 'Pending' } : fields);
      },
    };
  }
}

/** What a controller before this one has brought to rest, and nobody could bring back. */
function stillOwed({ podUid, pod }: HookSession, book: HookBook): DrError | undefined {
  if (!book.open.some((one) => one.podUid === podUid)) return undefined;
  return new DrError('HookFailed', `pod ${pod} is still at rest from an earlier sync: its post hook fails`);
}

function restless({ pod }: HookSession, what: string): DrError {
  return new DrError(
    'HookFailed',
    `pod ${pod} ${what} while the volumes that it mounts were copied, so they were not at rest all the time`,
  );
}

function unverified(replication: Replication): Replication {
  const { metadata, spec } = replication;
  return {
    ...replication,
    metadata: { ...metadata, annotations: { ...metadata.annotations, [annotation.verify]: '' } },
    spec: { ...spec, pvcConfig: { ...spec.pvcConfig, verification: 'none' } },
  };
}
