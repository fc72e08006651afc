import { DrError, type Identity } from '@dr-syncer/api';
import { describe, expect, jest, test } from '@jest/globals';
import type { PermissionsState } from '@dr-syncer/ssh';

import {
  applyPermissions,
  needsPermissions,
  type PermissionsAgent,
  permissionsLosses,
  type PermissionsPass,
  permissionsStatus,
} from './permissions.js';

const identity: Identity = {
  ...{ uid: 1, gid: 1, groups: [1], capabilities: [], umask: '0000', privileged: false, fsGroup: 5 },
};
const done: PermissionsState = {
  ...{ id: 't', selinux: 'NotWanted', scope: 'Changed', seen: 100, groupsChanged: 7, modesChanged: 3 },
  ...{ labelsChanged: 0, privilegesDropped: 0, linksRefused: 0, otherMounts: 0, vanished: 1, failed: 0 },
  ...{ examples: [], seconds: 1.6 },
};
const signal = new AbortController().signal;

function passWith(answers: (() => PermissionsState)[]) {
  const asked: unknown[] = [];
  const seen: PermissionsState[] = [];
  const stop = jest.fn<() => void>();
  const agent: PermissionsAgent = {
    on: (_event, listener) => {
      listener({ ...done, seen: 50 });
      listener({ ...done, id: 'another', seen: 1 });
      return stop;
    },
    request: (method, params) => {
      asked.push([method, params]);
      return Promise.resolve().then(() => answers.shift()?.() ?? done);
    },
  };
  const claim = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'c' }, spec: {} };
  const pass: PermissionsPass = {
    ...{ id: 't', identity },
    volume: { claim, podUid: 'p', pvName: 'v', node: 'n', placeholder: true },
    peer: () => Promise.resolve(agent),
    onState: (state) => seen.push(state),
  };
  return { pass, asked, seen, stop };
}

describe('Given a transfer that has ended', () => {
  test('When its volume is to have a group, Then the agent is asked, and the counts come as they grow', async () => {
    const { pass, asked, seen, stop } = passWith([() => done]);

    expect(await applyPermissions(pass, signal)).toEqual(done);

    expect(asked).toEqual([
      ['permissions.apply', { id: 't', volume: { podUid: 'p', pvName: 'v' }, identity }],
    ]);
    expect(seen.map((state) => state.seen)).toEqual([50, 100]);
    expect(stop).toHaveBeenCalledTimes(1);
  });

  test('When the connection is lost, Then it is asked again', async () => {
    const { pass, asked } = passWith([
      () => {
        throw new DrError('AgentUnreachable', 'gone');
      },
      () => done,
    ]);

    await applyPermissions(pass, signal);

    expect(asked).toHaveLength(2);
  });

  test('When it is refused, Then that is the end', async () => {
    const { pass } = passWith([
      () => {
        throw new DrError('SELinuxContextMismatch', 'mounted with another');
      },
    ]);

    await expect(applyPermissions(pass, signal)).rejects.toMatchObject({ code: 'SELinuxContextMismatch' });
  });

  test('When the identity has no group and no label for files, Then no pass is needed', () => {
    const { fsGroup, ...plain } = identity;

    expect(needsPermissions(plain)).toBe(false);
    expect(needsPermissions({ ...plain, ...(fsGroup !== undefined && { fsGroup }) })).toBe(true);
    expect(needsPermissions({ ...plain, seLinuxLabel: 'u:r:t:s0' })).toBe(true);
  });
});

test('Given the counts of a pass, Then the status has them', () => {
  expect(permissionsStatus({ ...done, reason: 'no marker', examples: ['a: b'] })).toEqual({
    ...{ selinux: 'NotWanted', scope: 'Changed', reason: 'no marker', seen: 100, groupsChanged: 7 },
    ...{ modesChanged: 3, labelsChanged: 0, privilegesDropped: 0, linksRefused: 0, otherMounts: 0 },
    ...{ vanished: 1, failed: 0, examples: ['a: b'], seconds: 2 },
  });
});

test('Given what a pass left alone, Then it is among the losses', () => {
  expect(permissionsLosses(done)).toEqual([]);
  expect(permissionsLosses({ ...done, linksRefused: 2, privilegesDropped: 1 })).toEqual([
    {
      what: 'privilegesDropped',
      description: 'setuid, setgid or file capabilities of files that were written meanwhile (1)',
    },
    {
      what: 'linksRefused',
      description: 'group and label of files that have links outside of the volume (2)',
    },
  ]);
});
