import { isRecord, type Json } from '../json.js';

/** Steps of a JSON pointer (RFC 6901). */
export type Pointer = readonly string[];

/** Steps that mean something to JavaScript itself. */
const refused = new Set(['__proto__', 'constructor', 'prototype']);

/** @throws Error that says what is wrong with the text */
export function parsePointer(text: string): Pointer {
  if (!text.startsWith('/')) throw new Error(`path "${text}" does not begin with "/"`);
  if (/~(?![01])/.test(text))
    throw new Error(`path "${text}": "~" is written "~0", "/" inside of a name "~1"`);
  const steps = text
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const bad = steps.find((step) => refused.has(step));
  if (bad !== undefined) throw new Error(`path "${text}": "${bad}" can't be a step`);
  return steps;
}

/** A place in a document. */
export interface Place {
  readonly parent: Json | unknown[];
  readonly key: string | number;
}

/**
 * The places that a pointer means; `*` means every item or field that is there. Missing objects on the way are made,
 * but not below `*` and not in place of something else.
 *
 * @throws Error that names the step that can't be taken
 */
export function placesAt(root: Json, pointer: Pointer): Place[] {
  let places: Place[] = [{ parent: { root }, key: 'root' }];
  for (const [index, step] of pointer.entries()) {
    const shown = () => `/${pointer.slice(0, index).join('/')}`;
    places = places.flatMap((place) => stepInto(place, step, shown));
  }
  return places;
}

function stepInto(place: Place, step: string, shown: () => string): Place[] {
  const at = valueOf(place);
  if (step === '*') {
    if (Array.isArray(at)) return at.map((_item, key) => ({ parent: at as unknown[], key }));
    return isRecord(at) ? Object.keys(at).map((key) => ({ parent: at, key })) : [];
  }
  if (Array.isArray(at)) {
    const index = step === '-' ? at.length : /^(0|[1-9]\d{0,6})$/.test(step) ? Number(step) : Number.NaN;
    if (!(index <= at.length)) throw new Error(`${shown()} is a list and has no item ${step}`);
    return [{ parent: at as unknown[], key: index }];
  }
  if (isRecord(at)) return [{ parent: at, key: step }];
  if (at !== undefined && at !== null) throw new Error(`${shown()} is neither an object nor a list`);
  const made: Json = {};
  setValue(place, made);
  return [{ parent: made, key: step }];
}

export function valueOf({ parent, key }: Place): unknown {
  if (Array.isArray(parent)) return parent[key as number];
  return Object.hasOwn(parent, key) ? parent[key] : undefined;
}

/** `undefined` removes. */
export function setValue(place: Place, value: unknown): void {
  const { parent, key } = place;
  if (Array.isArray(parent)) {
    if (value === undefined) parent.splice(key as number, 1);
    else parent[key as number] = value;
  } else if (value === undefined) {
    Reflect.deleteProperty(parent, key);
  } else {
    parent[key] = value;
  }
}
