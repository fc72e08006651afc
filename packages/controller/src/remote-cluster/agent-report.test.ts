import { DrError } from '@dr-syncer/api';
import { describe, expect, test } from '@jest/globals';

import { type AgentFact, agentReport } from './agent-report.js';

const fact = (node: string, over: Partial<AgentFact> = {}): AgentFact => ({
  ...{ node, ready: true, current: true },
  ...over,
});

describe('Given what is known of the agents', () => {
  test('When some have problems Then these come first and are not counted as ready', () => {
    const problem = new DrError('AgentUnreachable', '10.0.0.1:2222: connect ECONNREFUSED');
    const report = agentReport(5, [
      fact('a'),
      fact('b', { current: false }),
      fact('c', { ready: false, waiting: 'ImagePullBackOff: no such image' }),
      fact('d', { problem }),
    ]);

    expect(report).toEqual({
      ...{ desired: 5, ready: 2, summary: '2/5' },
      nodes: [
        { name: 'd', state: 'Unreachable', message: `AgentUnreachable: ${problem.message}` },
        { name: 'c', state: 'NotReady', message: 'ImagePullBackOff: no such image' },
        { name: 'b', state: 'Updating' },
        { name: 'a', state: 'Ready' },
      ],
    });
  });

  test('When there are many Then all are counted and the first fifty listed', () => {
    const many = Array.from({ length: 500 }, (_, index) =>
      fact(`n${index}`, { ready: index !== 499, waiting: 'x'.repeat(5000) }),
    );
    const { nodes, ...counts } = agentReport(500, many);

    expect(counts).toEqual({ desired: 500, ready: 499, summary: '499/500' });
    expect(nodes).toHaveLength(50);
    expect(nodes?.[0]).toMatchObject({ name: 'n499', state: 'NotReady' });
    expect(JSON.stringify(nodes).length).toBeLessThan(8_000);
  });

  test('When there are none Then nothing is listed', () => {
    expect(agentReport(0, [])).toEqual({ desired: 0, ready: 0, summary: '0/0' });
  });
});
