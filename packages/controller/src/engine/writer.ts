import { annotation, type ConflictRules, DrError, FIELD_MANAGER } from '@dr-syncer/api';
import {
  type ApiResource,
  isConflict,
  isFieldConflict,
  isNotFound,
  type KubeClient,
  KubeError,
  type KubeObject,
  type ObjectRef,
  sleep,
  unsafeIntegers,
} from '@dr-syncer/kube';

import { withSizeOf } from '../resources/claim-size.js';
import { decideImmutable, type ImmutableAction, immutableError } from '../resources/immutable.js';
import { otherManagers, wasThereBefore } from './owned-fields.js';
import { conflictingManagers, foreign, isImmutable, isInvalid, isShrink, rejection } from './rejection.js';
import type { StandbyEntry } from './snapshots.js';
import type { WriteQueue } from './write-queue.js';

export interface WriterOptions {
  readonly client: KubeClient;
  readonly queue: WriteQueue;
  readonly conflicts: ConflictRules;
  /** What is done about an object of the type when its server refuses to change a field. */
  readonly immutable: (type: ApiResource) => ImmutableAction;
  /** Looks at an object before it is written. @throws DrError when it can't work at the destination */
  readonly check: (object: KubeObject, signal: AbortSignal) => Promise<void>;
  /**
   * The server answers each call as it would, and nothing is changed. An object that would be made anew comes back as
   * desired, without a uid.
   */
  readonly dryRun?: boolean;
}

/** An object at the destination as a write has left it. */
export interface Applied {
  readonly object: KubeObject;
  /** The answer was lost and it was looked up afterwards: others may have changed it in between. */
  readonly isFound: boolean;
}

/** How long an object that is made anew may take to go. */
const GONE_MS = 10_000;
const GONE_POLL_MS = 100;

/** Marks are made by another manager, so that applying an object does not remove them by leaving them out. */
const MARK_MANAGER = 'dr-syncer-prune';

/** Everything that is ever written to objects at the destination goes through here. */
export class Writer {
  readonly #options: WriterOptions;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /**
   * Makes the object as desired and tells how the server has it then. What is there must be what was seen there
   * (`present`, by uid); what was not there is made only if it still is not.
   *
   * @param isAbsent whether, as far as is known now, no object of that name is there: asked before each attempt
   * @throws DrError classified: see `rejection`
   */
  async apply(
    type: ApiResource,
    desired: KubeObject,
    present: StandbyEntry | undefined,
    isAbsent: () => boolean,
    signal: AbortSignal,
  ): Promise<Applied> {
    checkNumbers(desired);
    await this.#options.check(desired, signal);
    try {
      const applied =
        present === undefined
          ? await this.#create(type, desired, isAbsent, signal)
          : await this.#updateOrRecreate(type, desired, present, signal);
      if (present?.goneSince !== undefined && this.#options.dryRun !== true)
        await this.mark(type, present, undefined, signal);
      return applied;
    } catch (err) {
      signal.throwIfAborted();
      throw rejection(err);
    }
  }

  /** Writes since when the source is gone, or with `undefined` that it is not. @throws DrError */
  async mark(
    type: ApiResource,
    { metadata }: StandbyEntry,
    since: string | undefined,
    signal: AbortSignal,
  ): Promise<KubeObject> {
    const { uid, name, namespace } = metadata;
    const body = { metadata: { uid, annotations: { [annotation.sourceGone]: since ?? null } } };
    const { client, queue } = this.#options;
    const options = { fieldManager: MARK_MANAGER, retry: false, signal };
    return queue.run(() => client.patch({ resource: type, name, namespace }, body, 'merge', options), signal);
  }

  /** Removes exactly the object that was seen, in exactly the state in which it was seen. @throws DrError */
  async remove(type: ApiResource, { metadata }: StandbyEntry, signal: AbortSignal): Promise<void> {
    const { name, namespace, uid, resourceVersion } = metadata;
    const { client, queue } = this.#options;
    try {
      await queue.run(
        () =>
          client.delete(
            { resource: type, name, namespace },
            {
              ...{ preconditions: { uid, resourceVersion }, propagationPolicy: 'Background' },
              ...{ retry: false, signal },
            },
          ),
        signal,
      );
    } catch (err) {
      if (!isNotFound(err)) throw rejection(err);
    }
  }

  /**
   * For an object that we may have made, or merged with somebody's, without hearing the answer: lets it go if it is
   * theirs. @throws DrError ForeignObject
   */
  async settleOrigin(type: ApiResource, { metadata }: StandbyEntry, signal: AbortSignal): Promise<void> {
    const { name, namespace } = metadata;
    const live = await this.#options.client.find({ resource: type, name, namespace }, { signal });
    if (live === undefined) throw new DrError('ObjectChanged', `${name} is gone at the destination`);
    await this.#refuseTheirs(type, live, signal);
  }

  async #create(
    type: ApiResource,
    desired: KubeObject,
    isAbsent: () => boolean,
    signal: AbortSignal,
  ): Promise<Applied> {
    let applied: Applied;
    try {
      applied = answered(await this.#send(type, desired, false, signal, isAbsent));
    } catch (err) {
      if (isFieldConflict(err)) throw foreign(desired.metadata.name);
      const object = isLost(err) ? await this.#look(type, desired, signal) : undefined;
      if (object === undefined) throw err;
      applied = { object, isFound: true };
    }
    await this.#refuseTheirs(type, applied.object, signal);
    return applied;
  }

  /** What an apply without an answer has made, looked for at once: with time others come and blur whose it is. */
  async #look(
    type: ApiResource,
    { metadata }: KubeObject,
    signal: AbortSignal,
  ): Promise<KubeObject | undefined> {
    const { name, namespace, annotations } = metadata;
    try {
      const live = await this.#options.client.find({ resource: type, name, namespace }, { signal });
      const hash = live?.metadata.annotations?.[annotation.desiredHash];
      return hash === annotations?.[annotation.desiredHash] ? live : undefined;
    } catch {
      // The failure of the apply says more.
      return undefined;
    }
  }

  /**
   * Somebody was faster and has made one of the same name, with which ours was merged. An apply that says nothing gives
   * up every field that we own, which leaves the object as it was before us. Where what would be left is no valid object
   * there was none before us: it is ours, and others have written to it since. @throws DrError ForeignObject
   */
  async #refuseTheirs(
    type: ApiResource,
    { apiVersion, kind, metadata }: KubeObject,
    signal: AbortSignal,
  ): Promise<void> {
    if (!wasThereBefore(metadata.managedFields)) return;
    const { name, namespace, uid } = metadata;
    const identity = {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
    };
    const nothing = { apiVersion, kind, metadata: identity };
    try {
      if (this.#options.dryRun !== true) await this.#send(type, nothing, false, signal);
    } catch (err) {
      if (isInvalid(err)) return;
      throw err;
    }
    throw foreign(name);
  }

  async #updateOrRecreate(
    type: ApiResource,
    desired: KubeObject,
    present: StandbyEntry,
    signal: AbortSignal,
  ): Promise<Applied> {
    try {
      return answered(await this.#update(type, desired, present, signal));
    } catch (err) {
      if (isShrink(err)) return answered(await this.#keepSize(type, desired, present, signal));
      if (!isImmutable(err)) throw err;
      return this.#immutable(type, desired, present, rejection(err).message, signal);
    }
  }

  /** A claim that was made larger at the destination stays so: nothing can make it smaller, and the copy may need it. */
  async #keepSize(
    type: ApiResource,
    desired: KubeObject,
    present: StandbyEntry,
    signal: AbortSignal,
  ): Promise<KubeObject> {
    const { name, namespace } = desired.metadata;
    const now = await this.#options.client.get({ resource: type, name, namespace }, { signal });
    return this.#update(type, withSizeOf(desired, now), present, signal);
  }

  /** @throws DrError ImmutableField, ImmutableKept unless the object was made anew */
  async #immutable(
    type: ApiResource,
    desired: KubeObject,
    { metadata: seen }: StandbyEntry,
    refusal: string,
    signal: AbortSignal,
  ): Promise<Applied> {
    const { name, namespace } = desired.metadata;
    const ref = { resource: type, name, namespace };
    const now = await this.#options.client.get(ref, { signal });
    const action = this.#options.immutable(type);
    const decision = decideImmutable(
      action,
      { ...now, kind: type.kind },
      otherManagers(now.metadata.managedFields),
    );
    if (decision.action !== 'Recreate') throw immutableError(decision, name, refusal);
    if (now.metadata.uid !== seen.uid) {
      throw new DrError('ObjectChanged', `${name} was replaced by another of the same name a moment ago`);
    }
    if (this.#options.dryRun === true) return answered(desired);
    await this.remove(type, now as StandbyEntry, signal);
    await this.#untilGone(ref, signal);
    return this.#create(type, desired, () => true, signal);
  }

  /** Others may hold it with finalizers; then it is made anew when it is gone. @throws DrError ObjectChanged */
  async #untilGone(ref: ObjectRef, signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + GONE_MS;
    while ((await this.#options.client.find(ref, { signal })) !== undefined) {
      if (performance.now() > deadline) {
        throw new DrError(
          'ObjectChanged',
          `${ref.name} is being deleted at the destination, to be made anew`,
        );
      }
      await sleep(GONE_POLL_MS, signal);
    }
  }

  async #update(
    type: ApiResource,
    desired: KubeObject,
    present: StandbyEntry,
    signal: AbortSignal,
  ): Promise<KubeObject> {
    const { uid } = present.metadata;
    const body = { ...desired, metadata: { ...desired.metadata, ...(uid !== undefined && { uid }) } };
    const { conflicts } = this.#options;
    const always = conflicts.default === 'Force' && (conflicts.managers ?? []).length === 0;
    try {
      return await this.#send(type, body, always, signal);
    } catch (err) {
      if (isOtherUid(err)) {
        const what = 'was replaced by another of the same name a moment ago';
        throw new DrError('ObjectChanged', `${desired.metadata.name} ${what}`, { cause: err });
      }
      if (always || !isFieldConflict(err)) throw err;
      const managers = conflictingManagers(err);
      if (managers.length === 0 || managers.some((one) => actionFor(conflicts, one) !== 'Force')) throw err;
      return this.#send(type, body, true, signal);
    }
  }

  #send(
    type: ApiResource,
    body: KubeObject,
    force: boolean,
    signal: AbortSignal,
    may: () => boolean = () => true,
  ): Promise<KubeObject> {
    const { client, queue, dryRun } = this.#options;
    const options = {
      ...{ fieldManager: FIELD_MANAGER, force, retry: false, signal },
      ...(dryRun === true && { dryRun }),
    };
    return queue.run(() => {
      if (may()) return client.apply(type, body, options);
      throw new DrError('ObjectChanged', `${body.metadata.name} has appeared at the destination meanwhile`);
    }, signal);
  }
}

function answered(object: KubeObject): Applied {
  return { object, isFound: false };
}

/** The call may have had its effect. */
function isLost(err: unknown): boolean {
  return err instanceof KubeError && (err.status === 0 || err.status >= 500);
}

/** The server checks `metadata.uid` of an apply against the object that is there (validation: it is immutable). */
function isOtherUid(err: unknown): boolean {
  if (!(err instanceof KubeError)) return false;
  if (isConflict(err) && !isFieldConflict(err)) return /uid/i.test(err.message);
  return err.status === 422 && err.details?.causes?.some(({ field }) => field === 'metadata.uid') === true;
}

export function actionFor({ default: otherwise, managers = [] }: ConflictRules, name: string): string {
  const rule = managers.find((one) =>
    one.name.endsWith('*') ? name.startsWith(one.name.slice(0, -1)) : one.name === name,
  );
  return rule?.action ?? otherwise;
}

/** JavaScript would write another number than the one it read. */
function checkNumbers(desired: KubeObject): void {
  const [first] = unsafeIntegers(desired);
  if (first === undefined) return;
  throw new DrError('ObjectRejected', `${first} is an integer beyond 2^53, which can't be copied exactly`);
}
