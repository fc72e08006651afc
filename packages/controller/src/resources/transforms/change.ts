import type { TransformRule } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';
import { applyPatch, type Operation } from 'rfc6902';

import { cloneJson } from '../clone-json.js';
import { type Json, valueAt } from '../json.js';
import { mergePatched } from '../merge-patch.js';
import { Expression } from './expression.js';
import { parsePointer, placesAt, type Pointer, setValue, valueOf } from './pointer.js';
import type { TimeLimit } from './time-limit.js';

export interface ChangeContext {
  readonly sourceNamespace: string;
  readonly destinationNamespace: string;
  readonly limit: TimeLimit;
}

/**
 * What a rule does to an object: a new object, or undefined when the rule itself says that it is not for it (`test`).
 *
 * @throws Error that says what could not be done, and where
 */
export type Change = (object: KubeObject) => Json | undefined;

/** @throws Error that names the part of the rule that can't be used */
export function compileChange(rule: TransformRule, context: ChangeContext): Change {
  const { jsonPatch, mergePatch, values } = rule;
  if ([jsonPatch, mergePatch, values].filter((part) => part !== undefined).length !== 1) {
    throw new Error('give one of jsonPatch, mergePatch and values');
  }
  if (jsonPatch !== undefined) return compileJsonPatch(jsonPatch);
  if (mergePatch !== undefined) return compileMergePatch(mergePatch);
  return compileValues(values ?? [], context);
}

/** What names an object, and what its server writes. A rule that would change it could not mean it. */
const fixed = ['apiVersion', 'kind', 'status'];
const fixedMetadata = [
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'ownerReferences',
  'finalizers',
  'managedFields',
];

function checkTarget(pointer: Pointer): void {
  const [first, second] = pointer;
  const whole = first === 'metadata' && second === undefined;
  if (first === undefined || first === '' || whole || fixed.includes(first) || isFixedMetadata(pointer)) {
    throw new Error(`path "/${pointer.join('/')}" can't be changed by a rule`);
  }
}

function isFixedMetadata([first, second]: Pointer): boolean {
  return first === 'metadata' && second !== undefined && fixedMetadata.includes(second);
}

type PatchOperation = NonNullable<TransformRule['jsonPatch']>[number];

function compileJsonPatch(operations: readonly PatchOperation[]): Change {
  const compiled = operations.map((operation, index) => {
    try {
      return compileOperation(operation);
    } catch (err) {
      throw new Error(`jsonPatch[${index}]: ${messageOf(err)}`, { cause: err });
    }
  });
  return (object) => {
    const changed = cloneJson(object);
    for (const [index, operation] of compiled.entries()) {
      const [problem] = applyPatch(changed, [operation]);
      if (problem === null || problem === undefined) continue;
      if (problem.name === 'TestError') return undefined;
      // The message of the library names the path and nothing of what is there.
      throw new Error(`jsonPatch[${index}] (${operation.op}): ${problem.message}`);
    }
    return changed;
  };
}

function compileOperation({ op, path, from, value }: PatchOperation): Operation {
  const target = parsePointer(path);
  if (op !== 'test') checkTarget(target);
  if (op === 'move' || op === 'copy') {
    if (from === undefined) throw new Error(`"${op}" needs from`);
    const origin = parsePointer(from);
    if (op === 'move') checkTarget(origin);
    return { op, path, from };
  }
  if (op === 'remove') return { op, path };
  if (value === undefined) throw new Error(`"${op}" needs a value`);
  return { op, path, value };
}

function compileMergePatch(patch: Json): Change {
  for (const field of Object.keys(patch)) if (field !== 'metadata') checkTarget([field]);
  const { metadata } = patch;
  if (metadata !== undefined) {
    if (typeof metadata !== 'object' || metadata === null)
      throw new Error('mergePatch.metadata is no object');
    for (const field of Object.keys(metadata)) checkTarget(['metadata', field]);
  }
  return (object) => mergePatched(object, patch) as Json;
}

type ValueEntry = NonNullable<TransformRule['values']>[number];

function compileValues(entries: readonly ValueEntry[], context: ChangeContext): Change {
  const compiled = entries.map(({ path, expression }, index) => {
    try {
      const pointer = parsePointer(path);
      checkTarget(pointer);
      return { pointer, expression: new Expression(expression, context.limit), where: `values[${index}]` };
    } catch (err) {
      throw new Error(`values[${index}]: ${messageOf(err)}`, { cause: err });
    }
  });
  return (object) => {
    const changed = cloneJson(object);
    for (const entry of compiled) setValues(changed, entry, context);
    return changed;
  };
}

const MAX_PLACES = 1000;

function setValues(
  object: KubeObject,
  { pointer, expression, where }: { pointer: Pointer; expression: Expression; where: string },
  context: ChangeContext,
): void {
  const secret = object.kind === 'Secret';
  try {
    const places = placesAt(object, pointer);
    if (places.length > MAX_PLACES) throw new Error(`means more than ${MAX_PLACES} places`);
    // Expressions see the object as it was, whatever comes first.
    const before = cloneJson(object);
    const bytes = JSON.stringify(before).length * Math.max(1, places.length);
    const made = places.map((place) => {
      const input = {
        ...{ object: before, value: valueOf(place) ?? null },
        source: { namespace: context.sourceNamespace },
        destination: { namespace: context.destinationNamespace },
      };
      return { place, value: expression.evaluate(input, bytes, secret) ?? undefined };
    });
    // From the end, so that removing an item does not move those that follow.
    for (const { place, value } of made.reverse()) setValue(place, value);
  } catch (err) {
    throw new Error(`${where} (/${pointer.join('/')}): ${messageOf(err)}`, { cause: err });
  }
}

function messageOf(err: unknown): string {
  return err instanceof Error ? err.message : String(err);
}

/** Why a changed object is no object any more; undefined: it is one. The server would say it less clearly. */
export function malformed(object: Json): string | undefined {
  for (const field of ['labels', 'annotations']) {
    const values = valueAt(object, ['metadata', field]);
    if (values === undefined) continue;
    if (typeof values !== 'object' || values === null || Array.isArray(values))
      return `metadata.${field} is no object`;
    const bad = Object.entries(values).find(([, value]) => typeof value !== 'string');
    if (bad !== undefined) return `metadata.${field}["${bad[0]}"] is no string`;
  }
  return undefined;
}
