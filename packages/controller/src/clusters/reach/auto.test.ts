import { DrError, type ErrorCode } from '@dr-syncer/api';
import { beforeEach, describe, expect, test } from '@jest/globals';

import { AutoReach } from './auto.js';
import type { ControlRoute, DataRoute, Reach } from './reach.js';

const { signal } = new AbortController();

function way(host: string): Reach {
  const data: DataRoute = {
    ...{ host, port: 1, from: [], relayed: host === 'forward' },
    ...{ failed: () => false, close: () => undefined },
  };
  return {
    control: (_node, attempt) => attempt({ host, port: 1 }),
    data: () => Promise.resolve(data),
    report: () => ({ mode: 'Direct', message: host }),
    retain: () => undefined,
  };
}

describe('Given a cluster that is reached directly where that works', () => {
  let now: number;
  let reach: AutoReach;
  let tried: string[];
  beforeEach(() => {
    now = 0;
    tried = [];
    reach = new AutoReach(way('direct'), way('forward'), () => now);
  });

  /** Says how each way ends; what is not named works. */
  const connect = (failures: Partial<Record<string, ErrorCode>> = {}, node = 'n1') =>
    reach.control(
      node,
      ({ host }: ControlRoute) => {
        tried.push(host);
        const code = failures[host];
        return code === undefined ? Promise.resolve(host) : Promise.reject(new DrError(code, `no ${host}`));
      },
      signal,
    );

  test('When a node answers directly Then nothing else is tried and data goes directly', async () => {
    expect(await connect()).toBe('direct');
    expect(tried).toEqual(['direct']);
    expect((await reach.data('n1', [], signal)).host).toBe('direct');
    expect(reach.report().mode).toBe('Direct');
  });

  test('When a node does not answer directly Then the other way is taken, for data too, and the report says why', async () => {
    expect(await connect({ direct: 'AgentUnreachable' })).toBe('forward');
    expect((await reach.data('n1', [], signal)).host).toBe('forward');
    expect(reach.report().mode).toBe('PortForward');
    expect(reach.report().message).toContain('1 of 1 nodes');
    expect(reach.report().message).toContain('n1: no direct');
    await connect({}, 'n2');
    expect(reach.report().mode).toBe('Mixed');
  });

  test('When it has failed directly Then that is tried again after a while, and less often each time', async () => {
    await connect({ direct: 'AgentUnreachable' });
    now = 59_000;
    await connect();
    now = 61_000;
    await connect({ direct: 'Timeout' });
    now = 170_000;
    await connect();
    now = 182_000;
    await connect();

    expect(tried).toEqual(['direct', 'forward', 'forward', 'direct', 'forward', 'forward', 'direct']);
    expect(reach.report().mode).toBe('Direct');
  });

  test.each<ErrorCode>(['HostKeyMismatch', 'AgentRefusedKey', 'PermissionMissing'])(
    'When the direct answer is %s Then no other way is looked for',
    async (code) => {
      await expect(connect({ direct: code })).rejects.toMatchObject({ code });
      expect(tried).toEqual(['direct']);
    },
  );

  test('When neither way works Then both reasons are told and nothing is remembered', async () => {
    await expect(connect({ direct: 'AgentUnreachable', forward: 'AgentUnreachable' })).rejects.toMatchObject({
      code: 'AgentUnreachable',
      message: 'directly: no direct; by port-forward: no forward',
    });
    expect(reach.report().mode).toBe('Direct');
  });

  test('When the other way shows a wrong host key Then that is the error', async () => {
    const failures = { direct: 'AgentUnreachable', forward: 'HostKeyMismatch' } as const;

    await expect(connect(failures)).rejects.toMatchObject({ code: 'HostKeyMismatch' });
  });

  test('When only the sender cannot connect Then data takes the other way and control stays', async () => {
    await connect();
    (await reach.data('n1', [], signal)).failed('refused');

    expect((await reach.data('n1', [], signal)).host).toBe('forward');
    expect(await connect()).toBe('direct');
    expect((await reach.data('n1', [], signal)).host).toBe('forward');
    expect(reach.report().mode).toBe('Mixed');
    expect(reach.report().message).toContain('refused');
    now = 61_000;
    expect((await reach.data('n1', [], signal)).host).toBe('direct');
  });

  test('When a node is gone Then nothing is kept of it', async () => {
    await connect({ direct: 'AgentUnreachable' });
    reach.retain(['n2']);

    expect(reach.report().mode).toBe('Direct');
  });
});
