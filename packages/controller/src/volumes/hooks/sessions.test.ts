import { annotation, label, type VolumeHooks, volumeHooks } from '@dr-syncer/api';
import { describe, expect, test } from '@jest/globals';

import type { Pod } from '../pods.js';
import { sessionsOf } from './sessions.js';

function pod(
  name: string,
  claims: readonly string[],
  more: Partial<Pod['metadata']> = {},
  phase = 'Running',
): Pod {
  const volumes = claims.map((claimName) => ({
    name: `v-${claimName}`,
    persistentVolumeClaim: { claimName },
  }));
  return {
    ...{ apiVersion: 'v1', kind: 'Pod', status: { phase } },
    metadata: { name, namespace: 'shop', uid: `uid-${name}`, ...more },
    spec: {
      volumes,
      containers: [
        { name: 'side' },
        { name: 'db', volumeMounts: volumes.map((volume) => ({ name: volume.name })) },
      ],
    },
  };
}
const hooks = (given: object): VolumeHooks => volumeHooks.parse(given);
const [pre, post] = [{ command: ['freeze'] }, { command: ['thaw'] }];
const both = hooks({ pre: [pre], post: [post] });
const ended = { deletionTimestamp: '2026-01-01T00:00:00Z' };

describe('Given hooks and pods', () => {
  test('When a pod mounts what is copied Then it is brought to rest, in the container that has the volume', () => {
    expect(sessionsOf(both, [pod('a', ['data', 'log', 'tmp'])], ['data', 'log'])).toEqual([
      {
        ...{ pod: 'a', podUid: 'uid-a', claims: ['data', 'log'] },
        pre: [{ container: 'db', command: ['freeze'], timeoutSeconds: 60, onError: 'Fail' }],
        post: [{ container: 'db', command: ['thaw'], timeoutSeconds: 60, onError: 'Fail' }],
      },
    ]);
  });

  test.each<[string, Pod]>([
    ['mounts nothing that is copied', pod('a', ['tmp'])],
    ['does not run yet', pod('a', ['data'], {}, 'Pending')],
    ['has ended', pod('a', ['data'], {}, 'Succeeded')],
    ['is ending', pod('a', ['data'], ended)],
    ['is a placeholder of ours', pod('a', ['data'], { labels: { [label.placeholder]: 'x' } })],
  ])('When a pod %s Then nothing is done in it', (_what, one) => {
    expect(sessionsOf(both, [one], ['data'])).toEqual([]);
  });

  test('When a selector or a container is named Then it counts', () => {
    const given = hooks({
      pre: [{ ...pre, podSelector: { matchLabels: { app: 'db' } }, container: 'side' }],
    });
    const pods = [pod('b', ['data']), pod('a', ['data'], { labels: { app: 'db' } })];

    expect(sessionsOf(given, pods, ['data'])).toMatchObject([{ pod: 'a', pre: [{ container: 'side' }] }]);
  });

  test('When pods are annotated Then their own commands come after those of the spec', () => {
    const annotations = {
      [annotation.preSyncCommand]: '["sync-disks", "--all"]',
      [annotation.syncHookTimeout]: '2m',
      [annotation.syncHookOnError]: 'Continue',
      'kubectl.kubernetes.io/default-container': 'side',
    };
    const [session] = sessionsOf(both, [pod('a', ['data'], { annotations })], ['data']);

    expect(session?.pre).toEqual([
      expect.objectContaining({ container: 'side', command: ['freeze'] }),
      { container: 'side', command: ['sync-disks', '--all'], timeoutSeconds: 120, onError: 'Continue' },
    ]);
    expect(session?.post).toHaveLength(1);
  });

  test.each([
    [annotation.preSyncCommand, 'fsfreeze -f /data', 'not JSON'],
    [annotation.preSyncCommand, '"fsfreeze"', 'not a list'],
    [annotation.postSyncCommand, '[]', 'not a list'],
    [annotation.postSyncCommand, '["", "x"]', 'not a list'],
    [annotation.postSyncCommand, '["x", 1]', 'not a list'],
    [annotation.syncHookTimeout, '90', 'not a time'],
    [annotation.syncHookTimeout, '2h', 'not a time'],
    [annotation.syncHookOnError, 'Ignore', 'neither Fail nor Continue'],
  ])(
    'When the annotation %s is %s Then nothing is run in the pod and the problem named',
    (key, value, problem) => {
      const annotations = { [annotation.preSyncCommand]: '["x"]', [key]: value };
      const [session] = sessionsOf(both, [pod('a', ['data'], { annotations })], ['data']);

      expect(session).toMatchObject({
        pre: [],
        post: [],
        claims: ['data'],
        problem: { code: 'HookInvalid' },
      });
      expect(session?.problem?.message).toContain(`pod a, annotation ${key}: ${problem}`);
    },
  );

  test('When there are more than the status can hold Then that is an error and nothing is cut off', () => {
    const pods = Array.from({ length: 26 }, (_, index) => pod(`p-${index}`, ['data']));

    expect(() => sessionsOf(both, pods, ['data'])).toThrow('52 hooks in 26 pods');
    const large = hooks({
      pre: Array.from({ length: 10 }, () => ({ command: Array<string>(4).fill('x'.repeat(4096)) })),
    });
    expect(() => sessionsOf(large, [pod('a', ['data'])], ['data'])).toThrow('bytes of commands');
  });
});
