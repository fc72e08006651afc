import type { HookResult, HooksStatus, OpenHook } from '@dr-syncer/api';
import { type ExecEnd, KubeError, type KubeObject, type PodCommand, type PodExec } from '@dr-syncer/kube';
import { beforeEach, describe, expect, test } from '@jest/globals';

import type { HookBook } from './hook-book.js';
import { isSettled, Quiesce } from './quiesce.js';
import type { HookEnd } from './run-hook.js';
import type { HookSession } from './sessions.js';

type Behaviour = (command: readonly string[]) => ExecEnd | Error | 'never';

const ok: ExecEnd = { kind: 'Exited', exitCode: 0 };
const failed: ExecEnd = { kind: 'Exited', exitCode: 3 };
const forbidden = new KubeError('pods/exec: User "x" cannot get', { status: 403, reason: 'Forbidden' });
const broken = new KubeError('connection', { status: 0, reason: 'ConnectionReset' });

const hook = (word: string, onError: 'Fail' | 'Continue' = 'Fail') => ({
  ...{ container: 'db', command: [word], timeoutSeconds: 1, onError },
});
const session: HookSession = {
  ...{ pod: 'a', podUid: 'uid', claims: ['data'] },
  ...{ pre: [hook('freeze'), hook('flush')], post: [hook('thaw')] },
};

describe('Given a pod that is to be at rest', () => {
  let ran: string[];
  let behaviour: Behaviour;
  let podUid: string | undefined;
  let undo: AbortController;
  let saved: HooksStatus[];
  let open: OpenHook[];
  let results: HookResult[];
  let quiesce: Quiesce;
  const never = new AbortController().signal;

  /** The record, without a server. */
  const book = () =>
    ({
      owe: (hooks: readonly OpenHook[]) => {
        open.push(...hooks);
        saved.push({ open: [...open] });
        return Promise.resolve();
      },
      note: (result: HookResult) => results.push(result),
      settle: (hooks: readonly OpenHook[]) => {
        open = open.filter((one) => !hooks.includes(one));
        return Promise.resolve();
      },
    }) as unknown as HookBook;

  const client = {
    find: <T extends KubeObject>() =>
      Promise.resolve(
        podUid === undefined
          ? undefined
          : ({
              apiVersion: 'v1',
              kind: 'Pod',
              metadata: { name: 'a', uid: podUid },
              spec: {},
            } as unknown as T),
      ),
    exec: ({ command }: PodCommand): Promise<PodExec> => {
      ran.push(command.join(' '));
      const end = behaviour(command);
      if (end instanceof Error) return Promise.reject(end);
      const ended = end === 'never' ? new Promise<ExecEnd>(() => undefined) : Promise.resolve(end);
      return Promise.resolve({ ended, close: () => undefined });
    },
  };

  beforeEach(() => {
    [ran, saved, open, results] = [[], [], [], []];
    behaviour = () => ok;
    podUid = 'uid';
    undo = new AbortController();
    const options = {
      client,
      book: book(),
      undo: undo.signal,
      tell: () => undefined,
      ended: () => undefined,
    };
    quiesce = new Quiesce(options, 'shop');
  });

  test('When all goes well Then what is owed is on record before anything is done, and settled at the end', async () => {
    await quiesce.begin([session], never);
    expect([ran, saved]).toEqual([
      [],
      [{ open: [expect.objectContaining({ pod: 'a', command: ['thaw'] })] }],
    ]);
    expect(await quiesce.pre(session, never)).toBeUndefined();
    expect(open).toHaveLength(1);
    expect(await quiesce.post(session)).toBeUndefined();

    expect([ran, open]).toEqual([['freeze', 'flush', 'thaw'], []]);
    expect(results.map(({ when, result }) => [when, result])).toEqual([
      ['Pre', 'Succeeded'],
      ['Pre', 'Succeeded'],
      ['Post', 'Succeeded'],
    ]);
  });

  test.each<[string, Behaviour, string]>([
    ['fails', ([word]) => (word === 'flush' ? failed : ok), 'HookFailed'],
    ['does not end', ([word]) => (word === 'flush' ? 'never' : ok), 'HookFailed'],
    ['loses its connection', ([word]) => (word === 'flush' ? broken : ok), 'HookFailed'],
    ['is not allowed', ([word]) => (word === 'flush' ? forbidden : ok), 'HookNotPermitted'],
  ])(
    'When a pre hook %s Then the volumes are not to be copied, and it is undone',
    async (_what, given, code) => {
      behaviour = given;
      await quiesce.begin([session], never);
      expect(await quiesce.pre(session, never)).toMatchObject({ code });
      await quiesce.post(session);

      expect([ran, open]).toEqual([['freeze', 'flush', 'thaw'], []]);
    },
  );

  test('When the first pre hook may not be run Then there is nothing to undo', async () => {
    behaviour = () => forbidden;
    await quiesce.begin([session], never);
    await quiesce.pre(session, never);
    await quiesce.post(session);

    expect([ran, open]).toEqual([['freeze'], []]);
  });

  test('When the sync is ended during a pre hook Then it is undone all the same', async () => {
    behaviour = ([word]) => (word === 'freeze' ? 'never' : ok);
    const run = new AbortController();
    await quiesce.begin([session], never);
    const pre = quiesce.pre(session, run.signal);
    setTimeout(() => run.abort(new Error('paused')), 20);
    expect(await pre).toMatchObject({ code: 'Cancelled' });
    await quiesce.post(session);

    expect([ran, open]).toEqual([['freeze', 'thaw'], []]);
  });

  test('When this process may do nothing more Then it stays on record for the next', async () => {
    await quiesce.begin([session], never);
    await quiesce.pre(session, never);
    undo.abort(new Error('lost'));

    expect(await quiesce.post(session)).toMatchObject({ code: 'HookFailed' });
    expect(open).toHaveLength(1);
  });

  test('When the pod is another one by then Then nothing is run in that, and nothing owed', async () => {
    await quiesce.begin([session], never);
    await quiesce.pre(session, never);
    podUid = 'another';

    expect(await quiesce.post(session)).toMatchObject({ code: 'HookFailed' });
    expect([ran, open]).toEqual([['freeze', 'flush'], []]);
  });

  test('When a post hook fails Then it is tried again, and stays owed', async () => {
    behaviour = ([word]) => (word === 'thaw' ? failed : ok);
    await quiesce.begin([session], never);
    await quiesce.pre(session, never);

    expect(await quiesce.post(session)).toMatchObject({ code: 'HookFailed' });
    expect(ran.filter((word) => word === 'thaw')).toHaveLength(3);
    expect(open).toHaveLength(1);
  });
});

describe('Given how a post hook has ended', () => {
  const end = (result: HookEnd['result'], begun = true): HookEnd => ({ result, begun, milliseconds: 1 });

  test.each<[HookEnd, boolean, boolean]>([
    [end('Succeeded'), true, true],
    [end('PodGone', false), true, true],
    [end('Failed'), false, true],
    [end('Failed', false), false, false],
    [end('TimedOut'), false, true],
    [end('NotPermitted', false), false, false],
    [end('Unreachable'), false, false],
  ])('When it is %j Then it is settled with Fail: %s, with Continue: %s', (given, fail, goOn) => {
    expect([isSettled(hook('x'), given), isSettled(hook('x', 'Continue'), given)]).toEqual([fail, goOn]);
  });
});
