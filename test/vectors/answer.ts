import {
  assign,
  createProvider,
  effectiveContext,
  fieldErrorText,
  fsGroupRanges,
  level,
  parseBlock,
  parseBlocks,
  providerForNamespace,
  supplementalGroupsRanges,
  uidRange,
  validateContainer,
  validatePod,
  type FieldError,
  type Outcome,
} from '@dr-syncer/identity';

import type { Vector } from './vector.js';

/** What our code says to a vector, in the form of `Vector.expected`. */
export type Answer = Outcome<Readonly<Record<string, unknown>>>;

/** Ops about choosing among several SCCs; a mover has only one set of rules. */
const otherOps = new Set(['select', 'sort', 'points', 'appliesTo']);

/** Null: an operation that this project has no part of. */
export function answer(vector: Vector): Answer | null {
  if (otherOps.has(vector.op)) return null;
  const operation = operations[vector.op];
  if (!operation) throw new Error(`${vector.id}: unknown operation ${vector.op}`);
  return operation(vector);
}

const operations: Readonly<Record<string, (vector: Vector) => Answer>> = {
  parseBlock: ({ in: text }) => map(parseBlock(text ?? ''), ({ start, end }) => ({ start, end })),
  parseBlocks: ({ in: text }) =>
    map(parseBlocks(text ?? ''), (blocks) => ({ blocks: blocks.map(({ start, end }) => [start, end]) })),
  uidRange: (vector) => map(uidRange(vector.annotations ?? {}), (range) => ({ ...range })),
  level: (vector) => map(level(vector.annotations ?? {}), (text) => ({ level: text })),
  fsGroupRanges: (vector) =>
    map(fsGroupRanges(vector.annotations ?? {}, namespaceOf(vector)), (ranges) => ({ ranges })),
  supplementalGroupsRanges: (vector) =>
    map(supplementalGroupsRanges(vector.annotations ?? {}, namespaceOf(vector)), (ranges) => ({ ranges })),
  provider: (vector) =>
    map(namespaceProvider(vector), ({ constraints }) => ({ resolved: strategiesOf(constraints) })),
  assign: answerAssign,
  validatePod: (vector) =>
    map(createProvider(sccOf(vector)), (provider) => ({
      errors: validatePod(provider, 'spec', vector.podSecurityContext ?? {}).map(fieldErrorText),
    })),
  validateContainer: (vector) =>
    map(createProvider(sccOf(vector)), (provider) => ({
      errors: validateContainer(provider, '[]', {
        pod: vector.podSecurityContext ?? {},
        container: vector.containerSecurityContext,
      }).map(fieldErrorText),
    })),
};

function answerAssign(vector: Vector): Answer {
  return map(namespaceProvider(vector), (provider) => {
    const { security, errors } = assign(provider, {
      pod: vector.podSecurityContext ?? {},
      container: vector.containerSecurityContext,
    });
    if (errors.length > 0) return { errors: errors.map((error) => providerError(vector, error)) };
    const { pod, container } = security;
    return {
      podSecurityContext: pod,
      containerSecurityContext: container,
      effective: {
        ...only(effectiveContext(security), ['runAsUser', 'runAsGroup', 'runAsNonRoot', 'seLinuxOptions']),
        ...only(container ?? {}, ['allowPrivilegeEscalation', 'capabilities']),
        ...only(pod, ['fsGroup', 'supplementalGroups']),
      },
    };
  });
}

function providerError(vector: Vector, error: FieldError): string {
  return `provider ${sccOf(vector).metadata.name}: ${fieldErrorText(error)}`;
}

function namespaceProvider(vector: Vector): ReturnType<typeof providerForNamespace> {
  return providerForNamespace(sccOf(vector), vector.annotations ?? {}, namespaceOf(vector));
}

function strategiesOf({
  runAsUser,
  seLinuxContext,
  fsGroup,
  supplementalGroups,
}: NonNullable<Vector['scc']>): object {
  return { runAsUser, seLinuxContext, fsGroup, supplementalGroups };
}

function sccOf({ id, scc }: Vector): NonNullable<Vector['scc']> {
  if (!scc) throw new Error(`${id} has no scc`);
  return scc;
}

function namespaceOf({ namespace }: Vector): string {
  return namespace ?? 'default';
}

function only(from: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, from[name]]));
}

function map<T>(outcome: Outcome<T>, change: (value: T) => Readonly<Record<string, unknown>>): Answer {
  return outcome.ok ? { ok: true, value: change(outcome.value) } : outcome;
}
