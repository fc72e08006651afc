import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import {
  type AgentReport,
  type Decision,
  decide,
  type Phase,
  phases,
  type RotationPolicy,
  type RotationRequest,
  transitions,
  type World,
} from './machine.js';

const start = new Date('2026-01-01T00:00:00Z');
const later = (ms: number) => new Date(start.getTime() + ms);
const policy: RotationPolicy = { overlapMs: 0, waitForAllNodes: true, nodeDeadlineMs: 60_000 };

const agent = (node: string, more: Partial<AgentReport> = {}): AgentReport => ({
  node,
  answers: true,
  knowsNext: false,
  provesCurrent: false,
  refusesPrevious: false,
  refusesRevoked: false,
  ...more,
});
const all = { knowsNext: true, provesCurrent: true, refusesPrevious: true, refusesRevoked: true };
const done = (node: string) => agent(node, all);
const silent = (node: string) => agent(node, { answers: false });

const world = (phase: Phase, more: Partial<World> & { readonly revoked?: number } = {}): World => ({
  state: { phase, since: start, revoked: more.revoked ?? (phase === 'Revoking' ? 1 : 0) },
  request: 'none',
  agents: [done('a'), done('b')],
  policy,
  now: start,
  ...more,
});

describe('Given the steps of a rotation', () => {
  const takes = (transition: string, ...without: string[]) => ({ take: transition, without });

  test.each<[string, World, object]>([
    ['nothing is asked for', world('Idle'), { take: 'rest' }],
    ['a rotation is asked for', world('Idle', { request: 'rotate' }), takes('stage')],
    ['all agents know the next key', world('Staged'), takes('switch')],
    [
      'one agent that answers does not know the next key, however long',
      world('Staged', { agents: [done('a'), agent('b')], now: later(1e9) }),
      { take: 'wait', for: ['b'], ms: 250 },
    ],
    [
      'one agent is away',
      world('Staged', { agents: [done('a'), silent('b')], now: later(59_999) }),
      { take: 'wait', for: ['b'], ms: 5_000 },
    ],
    [
      'one agent is away past the deadline',
      world('Staged', { agents: [done('a'), silent('b')], now: later(60_000) }),
      takes('switch', 'b'),
    ],
    [
      'one agent is away and is not to be waited for',
      world('Staged', {
        agents: [done('a'), silent('b')],
        policy: { ...policy, waitForAllNodes: false },
      }),
      takes('switch', 'b'),
    ],
    [
      'all agents are away past the deadline',
      world('Staged', { agents: [silent('a'), silent('b')], now: later(60_000) }),
      { take: 'wait', for: ['a', 'b'], ms: 5_000 },
    ],
    [
      'one agent is away past the deadline and another is not ready',
      world('Switched', { agents: [done('a'), agent('b'), silent('c')], now: later(60_000) }),
      { take: 'wait', for: ['b', 'c'], ms: 250 },
    ],
    ['there is no agent', world('Staged', { agents: [] }), takes('switch')],
    ['the new key is proven', world('Switched'), takes('retire')],
    [
      'the new key is proven and the overlap goes on',
      world('Switched', { policy: { ...policy, overlapMs: 5_000 }, now: later(2_000) }),
      { take: 'wait', for: [], ms: 3_000 },
    ],
    ['the old key is refused', world('Retiring'), takes('finish')],
    [
      'an agent still lets the old key in',
      world('Retiring', { agents: [done('a'), agent('b')] }),
      { take: 'wait', for: ['b'], ms: 250 },
    ],
    ['a rotation is asked for while one goes on', world('Staged', { request: 'rotate' }), takes('switch')],
    ['revoked keys are refused by all', world('Revoking'), takes('contain')],
    [
      'an agent that is away has not refused the revoked key',
      world('Revoking', { agents: [done('a'), silent('b')] }),
      takes('contain', 'b'),
    ],
    [
      'an agent lets the revoked key in',
      world('Revoking', { agents: [agent('a', { ...all, refusesRevoked: false }), silent('b')] }),
      { take: 'wait', for: ['a', 'b'], ms: 250 },
    ],
    [
      'no agent answers after a revocation, however long',
      world('Revoking', { agents: [silent('a')], now: later(1e9) }),
      { take: 'wait', for: ['a'], ms: 5_000 },
    ],
    [
      'it was contained and one agent is still away',
      world('Idle', { revoked: 1, agents: [done('a'), silent('b')] }),
      { take: 'wait', for: ['b'], ms: 5_000 },
    ],
    ['it was contained and the last agent is back', world('Idle', { revoked: 1 }), takes('clear')],
    [
      'a rotation is asked for while a revoked key is not yet refused by all',
      world('Idle', { revoked: 1, request: 'rotate', agents: [done('a'), silent('b')] }),
      takes('stage'),
    ],
  ])('When %s Then the next is %j', (_when, given, expected) => {
    expect(decide(given)).toEqual(expected);
  });

  test.each(phases.filter((phase) => phase !== 'Revoking'))(
    'When a key is revoked in phase %s Then that comes first, whoever is away',
    (phase) => {
      const decision = decide(world(phase, { request: 'revoke', agents: [silent('a')] }));
      expect(decision).toEqual(takes('revoke'));
    },
  );
});

/** The world as it goes on by itself: agents that answer do as they are told in the end. */
function play(
  first: Phase,
  request: RotationRequest,
  silentNodes: number,
  nodes: number,
): { readonly taken: string[]; readonly end: Phase } {
  const next: Record<string, Phase> = {
    ...{ stage: 'Staged', switch: 'Switched', retire: 'Retiring', finish: 'Idle' },
    ...{ revoke: 'Revoking', contain: 'Idle', clear: 'Idle' },
  };
  const agents = Array.from({ length: nodes }, (_, i) => (i < silentNodes ? silent(`n${i}`) : done(`n${i}`)));
  let [phase, wanted, revoked] = [first, request, first === 'Revoking' ? 1 : 0];
  let [now, since] = [start, start];
  const taken: string[] = [];
  for (let steps = 0; steps < 1000; steps += 1) {
    const decision: Decision = decide({
      state: { phase, since, revoked },
      request: wanted,
      agents,
      policy,
      now,
    });
    if (decision.take === 'rest') break;
    if (decision.take === 'wait') {
      now = later(now.getTime() - start.getTime() + Math.max(decision.ms, 1_000));
      continue;
    }
    taken.push(decision.take);
    phase = next[decision.take] ?? phase;
    since = now;
    if (decision.take === 'finish' || decision.take === 'contain') wanted = 'none';
    if (decision.take === 'revoke') revoked = 1;
    if (decision.take === 'clear') revoked = 0;
  }
  return { taken, end: phase };
}

describe('Given a rotation that may begin again anywhere', () => {
  test('When there is an agent that answers Then it ends in Idle from every phase, and each transition is taken somewhere', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(
        fc.constantFrom(...phases),
        fc.constantFrom<RotationRequest>('none', 'rotate', 'revoke'),
        fc.integer({ min: 0, max: 3 }),
        (phase, request, silentNodes) => {
          const { taken, end } = play(phase, request, silentNodes, 4);
          for (const one of taken) seen.add(one);
          expect(end).toBe('Idle');
        },
      ),
      { numRuns: 300 },
    );
    expect([...seen].sort()).toEqual([...transitions].sort());
  });

  test('When an agent answers and is not done Then no step but a revocation goes past it', () => {
    const flags = fc.record({
      ...{ answers: fc.boolean(), knowsNext: fc.boolean(), provesCurrent: fc.boolean() },
      ...{ refusesPrevious: fc.boolean(), refusesRevoked: fc.boolean() },
    });
    const needed = {
      Staged: 'knowsNext',
      Switched: 'provesCurrent',
      Retiring: 'refusesPrevious',
      Revoking: 'refusesRevoked',
    } as const;
    fc.assert(
      fc.property(
        fc.constantFrom(...(Object.keys(needed) as (keyof typeof needed)[])),
        fc.array(flags, { maxLength: 5 }),
        fc.nat(200_000),
        fc.boolean(),
        (phase, reports, ms, waitForAllNodes) => {
          const agents = reports.map((report, i) =>
            report.answers ? agent(`n${i}`, report) : silent(`n${i}`),
          );
          const given = world(phase, { agents, now: later(ms), policy: { ...policy, waitForAllNodes } });
          const decision = decide(given);
          if (decision.take === 'wait') return;
          expect(agents.filter((one) => one.answers && !one[needed[phase]])).toEqual([]);
          expect(agents.some(({ answers }) => answers) || agents.every((one) => one[needed[phase]])).toBe(
            true,
          );
        },
      ),
    );
  });
});
