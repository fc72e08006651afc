import { DrError, type TransformRule } from '@dr-syncer/api';
import type { ApiResource, KubeObject } from '@dr-syncer/kube';

import { type Change, compileChange, malformed } from './change.js';
import { compileSelector, type Selects } from './selector.js';
import { TimeLimit } from './time-limit.js';

export interface TransformContext {
  readonly sourceNamespace: string;
  readonly destinationNamespace: string;
}

/** The object as the rules make it, and the names of those that were for it. */
export interface Transformed {
  readonly object: KubeObject;
  readonly rules: readonly string[];
}

interface Rule {
  readonly name: string;
  /** How messages call it. */
  readonly where: string;
  readonly selects: Selects;
  readonly change: Change;
}

/**
 * Compiles `spec.transforms`. The result applies them in their order, each to what the one before has made.
 *
 * @throws DrError TransformInvalid that names the rule; the result throws TransformFailed
 */
export function compileTransforms(
  rules: readonly TransformRule[] | undefined,
  context: TransformContext,
): (object: KubeObject, type: ApiResource) => Transformed {
  const limit = new TimeLimit();
  const compiled = (rules ?? []).map((rule, index) => compileRule(rule, index, { ...context, limit }));
  checkNames(compiled);
  return (object, type) => {
    let current = object;
    const applied: string[] = [];
    for (const rule of compiled) {
      const changed = rule.selects(current, type) ? applyRule(rule, current) : undefined;
      if (changed === undefined) continue;
      applied.push(rule.name);
      current = changed;
    }
    return { object: current, rules: applied };
  };
}

function compileRule(
  rule: TransformRule,
  index: number,
  context: TransformContext & { limit: TimeLimit },
): Rule {
  const where = `spec.transforms[${index}] "${rule.name}"`;
  try {
    const selects = compileSelector(rule.selector);
    return { name: rule.name, where, selects, change: compileChange(rule, context) };
  } catch (err) {
    throw new DrError('TransformInvalid', `${where}: ${messageOf(err)}`, { cause: err });
  }
}

function checkNames(rules: readonly Rule[]): void {
  const seen = new Set<string>();
  for (const { name, where } of rules) {
    if (seen.has(name)) throw new DrError('TransformInvalid', `${where}: another rule has this name`);
    seen.add(name);
  }
}

function applyRule({ where, change }: Rule, object: KubeObject): KubeObject | undefined {
  try {
    const changed = change(object);
    if (changed === undefined) return undefined;
    const problem = malformed(changed);
    if (problem !== undefined) throw new Error(problem);
    // Rules can't change what names it.
    return changed as KubeObject;
  } catch (err) {
    throw new DrError('TransformFailed', `${where}: ${messageOf(err)}`, { cause: err });
  }
}

function messageOf(err: unknown): string {
  return err instanceof Error ? err.message : String(err);
}
