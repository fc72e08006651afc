import type { DrError, ReplicationSpec } from '@dr-syncer/api';
import type { ApiResource, KubeObject, NewCondition } from '@dr-syncer/kube';
import { kubeToDrError } from '@dr-syncer/kube';

import type { ClusterView } from '../../clusters/cluster.js';
import type { NamespaceMapping } from '../mapping/namespaces.js';
import { classesOf, type ClassUse, missingClasses } from './classes.js';
import {
  bringDefinition,
  type DefinitionDecision,
  mayBeCustom,
  planDefinition,
  untilServed,
} from './definitions.js';

export interface SurroundingsOptions {
  readonly source: ClusterView;
  readonly remote: ClusterView;
  readonly sourceNamespace: string;
  readonly namespaces: NamespaceMapping;
  readonly wanted: ReplicationSpec['clusterResources'];
}

/** A definition that was looked at is not looked at again for this long. */
const KEEP_MS = 60_000;
const PARALLEL = 8;

/**
 * What the objects of a namespace need outside of it: brings the definitions of custom kinds where that is asked for,
 * and looks for the classes that objects name.
 */
export class Surroundings {
  readonly #options: SurroundingsOptions;
  readonly #uses = new Map<string, readonly ClassUse[]>();
  readonly #definitions = new Map<string, { readonly at: number; readonly problem: DrError | undefined }>();
  #missing: readonly string[] = [];
  #unknown: DrError | undefined;

  constructor(options: SurroundingsOptions) {
    this.#options = options;
  }

  /**
   * Brings definitions of those of the types that have objects in the source namespace.
   *
   * @returns whether the remote serves other types now
   * @throws KubeError when the source can't be asked
   */
  async bringDefinitions(types: readonly ApiResource[], signal: AbortSignal): Promise<boolean> {
    if (!this.#options.wanted.customResourceDefinitions) return false;
    const due = types.filter((type) => mayBeCustom(type) && this.#isDue(type));
    let changed = false;
    for (let from = 0; from < due.length; from += PARALLEL) {
      const batch = due.slice(from, from + PARALLEL);
      const results = await Promise.all(batch.map((type) => this.#bring(type, signal)));
      changed ||= results.includes(true);
    }
    return changed;
  }

  /**
   * What `bringDefinitions` would do, by `plural.group`; empty where it is not asked for.
   *
   * @throws KubeError
   */
  async planDefinitions(
    types: readonly ApiResource[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Exclude<DefinitionDecision, 'leave'>>> {
    const { source, remote, sourceNamespace, namespaces, wanted } = this.#options;
    const planned = new Map<string, Exclude<DefinitionDecision, 'leave'>>();
    if (!wanted.customResourceDefinitions) return planned;
    const ends = { source: source.client, remote: remote.client, namespaces };
    for (const type of types.filter(mayBeCustom)) {
      if (!(await hasObjects(source, type, sourceNamespace, signal))) continue;
      const { decision = 'leave' } = (await planDefinition(ends, type, signal)) ?? {};
      if (decision !== 'leave') planned.set(nameOf(type), decision);
    }
    return planned;
  }

  /** Notes which classes an object asks for; undefined: it is not copied. */
  note(key: string, desired: KubeObject | undefined): void {
    const uses = desired === undefined ? [] : classesOf(desired);
    if (uses.length > 0) this.#uses.set(key, uses);
    else this.#uses.delete(key);
  }

  /** Looks whether the remote has the classes. @param isThere whether an object that was noted is still copied */
  async checkClasses(isThere: (key: string) => boolean, signal: AbortSignal): Promise<void> {
    if (!this.#options.wanted.checkClasses) return;
    for (const key of this.#uses.keys()) if (!isThere(key)) this.#uses.delete(key);
    try {
      this.#missing = await missingClasses(
        this.#options.remote.client,
        [...this.#uses.values()].flat(),
        signal,
      );
      this.#unknown = undefined;
    } catch (err) {
      signal.throwIfAborted();
      this.#unknown = kubeToDrError(err);
    }
  }

  /** A warning: nothing has failed by it, but something will when the standby is started. */
  condition(): NewCondition {
    const type = 'ClusterResourcesReady';
    const failed = [...this.#definitions].flatMap(([name, { problem }]) =>
      problem ? [`${name}: ${problem.message}`] : [],
    );
    const problems = [
      ...failed,
      ...(this.#missing.length > 0 ? [`the remote cluster has no ${this.#missing.join(', ')}`] : []),
    ];
    if (problems.length > 0) {
      const reason = failed.length > 0 ? 'DefinitionNotReady' : 'ClassNotFound';
      return { type, status: 'False', reason, message: `${problems.join('; ')}.` };
    }
    if (this.#unknown !== undefined) {
      return { type, status: 'Unknown', reason: this.#unknown.code, message: this.#unknown.message };
    }
    return {
      type,
      status: 'True',
      reason: 'Present',
      message: 'Classes and definitions that objects need are there.',
    };
  }

  #isDue(type: ApiResource): boolean {
    const seen = this.#definitions.get(nameOf(type));
    return seen === undefined || performance.now() - seen.at > KEEP_MS;
  }

  async #bring(type: ApiResource, signal: AbortSignal): Promise<boolean> {
    const { source, remote, sourceNamespace, namespaces } = this.#options;
    if (!(await hasObjects(source, type, sourceNamespace, signal))) {
      this.#definitions.delete(nameOf(type));
      return false;
    }
    const at = performance.now();
    try {
      const ends = { source: source.client, remote: remote.client, namespaces };
      const changed = await bringDefinition(ends, type, signal);
      if (changed) await untilServed(remote, type, signal);
      this.#definitions.set(nameOf(type), { at, problem: undefined });
      // One that somebody else has installed a moment ago is news, too.
      return changed || (await remote.discovery.versionsOf(type, signal)).length === 0;
    } catch (err) {
      signal.throwIfAborted();
      this.#definitions.set(nameOf(type), { at, problem: kubeToDrError(err) });
      return false;
    }
  }
}

function nameOf({ plural, group }: ApiResource): string {
  return `${plural}.${group}`;
}

async function hasObjects(
  { client }: ClusterView,
  type: ApiResource,
  namespace: string,
  signal: AbortSignal,
): Promise<boolean> {
  for await (const { items } of client.pages(type, { namespace, limit: 1, signal })) return items.length > 0;
  return false;
}
