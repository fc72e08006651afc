import { DrError } from '@dr-syncer/api';
import { isAborted, type KubeObject, kubeToDrError } from '@dr-syncer/kube';
import PQueue from 'p-queue';

import type { Decision } from '../engine/decide.js';
import { type Evaluation, type Item, Ledger, type TypeState } from '../engine/ledger.js';
import { planPrune, type PrunePlan, type PruneRules } from '../engine/prune-guard.js';
import { orphanOf } from '../engine/pruner.js';
import type { StandbyEntry } from '../engine/snapshots.js';
import type { SyncPolicy } from '../engine/sync-policy.js';
import type { Writer } from '../engine/writer.js';
import type { ClusterView } from '../clusters/cluster.js';
import { fieldChanges } from './field-changes.js';
import type { PlanAction, PlannedObject } from './sync-plan.js';

export interface PlannerOptions {
  readonly policy: SyncPolicy;
  readonly remote: ClusterView;
  /** For a dry run. */
  readonly writer: Writer;
  readonly sourceNamespace: string;
  readonly destinationNamespace: string;
  readonly ownUids: ReadonlySet<string>;
  readonly prune: PruneRules;
  readonly confirmed: string | undefined;
  /** The destination namespace is not there yet. */
  readonly isNewNamespace: boolean;
  /** Definitions that a sync would bring, by `plural.group`. */
  readonly definitions: ReadonlySet<string>;
}

export interface PlannedObjects {
  readonly objects: readonly PlannedObject[];
  readonly unchanged: number;
}

const PARALLEL = 16;
const NEW_NAMESPACE = 'its namespace is not there yet';

/**
 * Evaluates each object as the engine does, with the same ledger and the same decisions, and asks the destination what
 * a write would come to instead of making it.
 */
export class Planner {
  readonly #options: PlannerOptions;
  readonly #ledger: Ledger;
  readonly #excluded = new Map<string, string>();
  readonly #orphans: { item: Item; present: StandbyEntry }[] = [];
  #current = '';

  constructor(options: PlannerOptions) {
    this.#options = options;
    const { policy } = options;
    this.#ledger = new Ledger({
      ...options,
      rules: policy.rules,
      policy: (object, type) => {
        const desired = policy.desired(object, type);
        if (desired.outcome === 'skipped') this.#excluded.set(this.#current, desired.reason);
        return desired;
      },
    });
  }

  /** @param types ready, with their views @throws KubeError only when the destination can't be asked at all */
  async plan(types: readonly TypeState[], signal: AbortSignal): Promise<PlannedObjects> {
    const items = types.flatMap((type) => this.#itemsOf(type));
    const queue = new PQueue({ concurrency: PARALLEL });
    const planned = await queue.addAll(items.map((item) => () => this.#one(item, signal)));
    const pruned = this.#prune(types);
    const objects = [...planned.flatMap((one) => one ?? []), ...pruned];
    return { objects, unchanged: planned.filter((one) => one === undefined).length };
  }

  /** For `surroundings.checkClasses`. */
  has(key: string): boolean {
    return this.#ledger.items.has(key);
  }

  #itemsOf(type: TypeState): Item[] {
    const names = new Set<string>();
    for (const view of [type.source, type.standby]) {
      for (const key of view?.store.keys() ?? []) names.add(key.slice(key.indexOf('/') + 1));
    }
    return [...names].sort().map((name) => this.#ledger.item(type, name));
  }

  /** Nothing in the list: it is not the destination's matter. undefined: it is as it should be. */
  async #one(item: Item, signal: AbortSignal): Promise<PlannedObject[] | undefined> {
    try {
      this.#current = item.key;
      const evaluation = this.#ledger.evaluate(item, performance.now());
      if (evaluation.decision === 'leave') return undefined;
      return await this.#decided(item, evaluation, signal);
    } catch (err) {
      signal.throwIfAborted();
      if (isAborted(signal)) throw err;
      return [this.#failed(item, this.#ledger.withRules(item, kubeToDrError(err)))];
    }
  }

  async #decided(
    item: Item,
    { decision, present, desired }: Evaluation,
    signal: AbortSignal,
  ): Promise<PlannedObject[]> {
    const isExcluded = item.want.kind === 'excluded';
    switch (decision) {
      case 'create':
      case 'update':
      case 'repair':
        return [await this.#write(item, decision, present, desired(), signal)];
      case 'refuse': {
        const whose =
          present?.replication === undefined ? 'not made by DR-Syncer' : 'made by another Replication';
        throw new DrError('ForeignObject', `${item.name} exists at the destination and was ${whose}`);
      }
      case 'wait':
        throw new DrError('ObjectChanged', `${item.name} is being deleted at the destination`);
      case 'report':
        return [entry(item, 'drifted', 'somebody else has changed it, and spec.drift is Report')];
      case 'prune':
        if (present !== undefined) this.#orphans.push({ item, present });
        return [];
      case 'leave':
      case 'forget':
      case 'keep':
        return this.#left(item, decision, isExcluded);
    }
  }

  #left(item: Item, decision: Decision, isExcluded: boolean): PlannedObject[] {
    const reason = this.#excluded.get(item.key);
    if (decision === 'keep' && !isExcluded)
      return [entry(item, 'keep', 'its source is gone, and spec.prune is not enabled')];
    if (decision === 'keep') return [entry(item, 'keep', `not copied any more: ${reason ?? 'excluded'}`)];
    return isExcluded ? [entry(item, 'skip', reason ?? 'excluded')] : [];
  }

  async #write(
    item: Item,
    action: 'create' | 'update' | 'repair',
    present: StandbyEntry | undefined,
    desired: KubeObject,
    signal: AbortSignal,
  ): Promise<PlannedObject> {
    const { standby: resource } = item.type.pair;
    const { isNewNamespace, writer, remote } = this.#options;
    if (resource === undefined || isNewNamespace) {
      return { ...entry(item, action, NEW_NAMESPACE), unchecked: true };
    }
    const { name, namespace } = desired.metadata;
    const before = present && (await remote.client.get({ resource, name, namespace }, { signal }));
    try {
      const { object: after } = await writer.apply(resource, desired, present, () => true, signal);
      if (before === undefined) return entry(item, action);
      const whole = { ...before, apiVersion: desired.apiVersion, kind: desired.kind };
      const isAnew = after.metadata.uid === undefined;
      const changes = fieldChanges(whole, { ...after, apiVersion: desired.apiVersion, kind: desired.kind });
      return { ...entry(item, isAnew ? 'recreate' : action), changes };
    } catch (err) {
      if (isNoDryRun(err))
        return { ...entry(item, action, 'a webhook does not answer dry runs'), unchecked: true };
      throw err;
    }
  }

  #failed(item: Item, { code, message }: DrError): PlannedObject {
    const { definitions } = this.#options;
    if (code === 'TypeNotServed' && definitions.has(item.type.key)) {
      return { ...entry(item, 'create', 'its definition is not there yet'), unchecked: true };
    }
    if (code === 'ImmutableKept') return entry(item, 'drifted', message);
    return { ...entry(item, 'fail', message), code };
  }

  #prune(types: readonly TypeState[]): PlannedObject[] {
    const { prune: rules, confirmed } = this.#options;
    const orphans = this.#orphans.map(({ item, present }) => orphanOf(item, present));
    const plan = planPrune(orphans, this.#ledger.owned(types), rules, confirmed, Date.now());
    return this.#orphans.map(({ item }) => {
      const [action, reason] = pruning(item.key, plan, rules);
      return entry(item, action, `its source is gone; ${reason}`);
    });
  }
}

function pruning(key: string, plan: PrunePlan, rules: PruneRules): [PlanAction, string] {
  const isIn = (list: readonly { readonly key: string }[] = []): boolean =>
    list.some((one) => one.key === key);
  if (isIn(plan.remove)) return ['prune', 'it is removed'];
  if (plan.held !== undefined && isIn(plan.held.orphans))
    return ['held', `it waits for dr-syncer.io/confirm-prune=${plan.held.token}`];
  if (isIn(plan.mark)) return ['held', `it is removed after ${rules.graceSeconds} s`];
  const isClaim = key.startsWith('persistentvolumeclaims/');
  return isClaim && !rules.claims ? ['keep', 'claims are not pruned'] : ['held', 'it is in its grace period'];
}

function entry({ kind, name, type }: Item, action: PlanAction, reason?: string): PlannedObject {
  return { action, kind, type: type.key, name, ...(reason !== undefined && { reason }) };
}

/** Webhooks with side effects are not called for a dry run; the server refuses instead (admission, webhook/generic). */
function isNoDryRun(err: unknown): boolean {
  return err instanceof DrError && /does not support dry run/.test(err.message);
}
