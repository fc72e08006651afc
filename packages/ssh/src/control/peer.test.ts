import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { DrError } from '@dr-syncer/api';
import fc from 'fast-check';
import { socketPair } from '../testing/socket-pair.js';
import type { Result, TransferState } from './messages.js';
import { Peer, type PeerOptions } from './peer.js';

const state: TransferState = {
  id: 't1',
  phase: 'Transferring',
  attempt: 1,
  bytesDone: 1,
  bytesPerSecond: 2,
  filesTransferred: 3,
  filesDeleted: 0,
  literalBytes: 1,
  bytesSent: 1,
  bytesReceived: 1,
  vanished: 0,
};

let near: Socket;
let far: Socket;
beforeEach(async () => {
  [near, far] = await socketPair();
});
afterEach(() => {
  near.destroy();
  far.destroy();
});

function peers(options: PeerOptions = {}): [Peer, Peer] {
  return [new Peer(near, options), new Peer(far, options)];
}

/** A peer and the bare stream at its other end. */
function bare(options: PeerOptions = {}): {
  peer: Peer;
  say: (...frames: unknown[]) => void;
  heard: unknown[];
} {
  const heard: unknown[] = [];
  let text = '';
  far.on('error', () => undefined);
  far.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    heard.push(...lines.map((line) => JSON.parse(line) as unknown));
  });
  far.resume();
  const say = (...frames: unknown[]) =>
    far.write(frames.map((frame) => `${JSON.stringify(frame)}\n`).join(''));
  return { peer: new Peer(near, options), say: (...frames) => void say(...frames), heard };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'none';
  } catch (err) {
    return err instanceof DrError ? err.code : `untyped ${String(err)}`;
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !condition(); i++) await sleep(5);
  expect(condition()).toBe(true);
}

describe('Given two peers', () => {
  test('When one asks Then the other answers, both ways at once', async () => {
    const [a, b] = peers();
    b.handle({ 'transfers.get': ({ id }) => ({ ...state, id }) });
    a.handle({ 'grants.close': () => Promise.resolve({ closed: true }) });

    const ids = Array.from({ length: 100 }, (_, i) => `t${i}`);
    const answers = await Promise.all([
      ...ids.map((id) => a.request('transfers.get', { id })),
      b.request('grants.close', { id: 'g' }),
    ]);

    expect(answers.slice(0, -1).map((answer) => (answer as TransferState).id)).toEqual(ids);
    expect(answers.at(-1)).toEqual({ closed: true });
  });

  test('When an answer is large Then it comes through in pieces', async () => {
    const [a, b] = peers();
    const grants = Array.from({ length: 5000 }, (_, i) => ({
      id: `g${i}`,
      line: 'ü'.repeat(30),
      expiresAt: '2026-11-21T00:00:00Z',
    }));
    b.handle({ 'grants.list': () => ({ grants }) });
    expect(await a.request('grants.list', {})).toEqual({ grants });
  });

  test('When a handler fails Then its code and message cross', async () => {
    const [a, b] = peers();
    b.handle({
      'volumes.locate': () => {
        throw new DrError('VolumeNotFound', 'no such mount');
      },
      'transfers.get': () => Promise.reject(new TypeError('oops')),
    });
    const ref = { podUid: 'ab-1', pvName: 'pv-1' };
    await expect(a.request('volumes.locate', ref)).rejects.toMatchObject({
      name: 'DrError',
      code: 'VolumeNotFound',
      message: 'no such mount',
    });
    await expect(a.request('transfers.get', { id: 'x' })).rejects.toMatchObject({
      code: 'Internal',
      message: 'oops',
    });
    expect(await codeOf(a.request('hello', {}))).toBe('BadRequest');
  });

  test('When parameters are wrong Then the handler never sees them', async () => {
    const [a, b] = peers();
    const handler = jest.fn(() => ({ closed: true }));
    b.handle({ 'grants.close': handler });
    expect(await codeOf(a.request('grants.close', { id: '../x' }))).toBe('BadRequest');
    expect(await codeOf(a.request('grants.close', { id: 'x', more: 1 } as { id: string }))).toBe(
      'BadRequest',
    );
    expect(handler).not.toHaveBeenCalled();
  });

  test('When an answer is wrong Then the asker gets an error instead', async () => {
    const [a, b] = peers();
    b.handle({ 'grants.close': () => ({ closed: 'yes' }) as unknown as Result<'grants.close'> });
    expect(await codeOf(a.request('grants.close', { id: 'x' }))).toBe('BadRequest');
  });

  test('When a newer peer adds fields to an answer Then they are dropped', async () => {
    const [a, b] = peers();
    b.handle({ 'grants.close': () => ({ closed: true, extra: 1 }) });
    expect(await a.request('grants.close', { id: 'x' })).toEqual({ closed: true });
  });

  test('When the asker aborts Then the handler sees it and the late answer is dropped', async () => {
    const [a, b] = peers();
    const seen = jest.fn();
    const abort = new AbortController();
    b.handle({
      'transfers.watch': (_, { signal }) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            seen();
            resolve(state);
          });
        }),
      'transfers.get': () => state,
    });
    const asked = a.request('transfers.watch', { id: 'x' }, { signal: abort.signal });
    await a.request('transfers.get', { id: 'x' });
    abort.abort();
    expect(await codeOf(asked)).toBe('Cancelled');
    expect((await a.request('transfers.get', { id: 'x' })).id).toBe('t1');
    expect(seen).toHaveBeenCalledTimes(1);
    expect(await codeOf(a.request('transfers.get', { id: 'x' }, { signal: abort.signal }))).toBe('Cancelled');
  });

  test('When no answer comes in time Then it is a timeout and the handler is cancelled', async () => {
    const [a, b] = peers({ requestTimeoutMs: 30 });
    let aborted = false;
    b.handle({
      'transfers.watch': (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            aborted = true;
            reject(new Error('aborted'));
          });
        }),
    });
    const started = performance.now();
    const patient = a.request('transfers.watch', { id: 'y' }, { timeoutMs: 0 });
    expect(await codeOf(a.request('transfers.watch', { id: 'x' }))).toBe('Timeout');
    expect(performance.now() - started).toBeLessThan(1000);
    await until(() => aborted);
    await sleep(50);
    a.close();
    expect(await codeOf(patient)).toBe('AgentUnreachable');
  });

  test('When too many requests wait Then the next is refused here', async () => {
    const [a, b] = peers({ maxPending: 3 });
    const abort = new AbortController();
    const release: (() => void)[] = [];
    b.handle({ 'transfers.watch': () => new Promise((resolve) => release.push(() => resolve(state))) });
    const waiting = [1, 2, 3].map((i) =>
      a.request('transfers.watch', { id: `t${i}` }, { signal: abort.signal }),
    );
    expect(await codeOf(a.request('hello', {}))).toBe('Busy');
    // Given up, but the other side still works on them: they count until it has answered.
    abort.abort();
    expect(await Promise.all(waiting.map(codeOf))).toEqual(['Cancelled', 'Cancelled', 'Cancelled']);
    expect(await codeOf(a.request('hello', {}))).toBe('Busy');
    await until(() => release.length === 3);
    for (const each of release) each();
    await sleep(50);
    expect(await codeOf(a.request('hello', {}))).toBe('BadRequest');
  });

  test('When events are sent Then listeners get them in order until they stop', async () => {
    const [a, b] = peers();
    const got: number[] = [];
    const stop = b.on('transfer', (data) => got.push(data.bytesDone));
    for (let i = 0; i < 50; i++) expect(await a.emit('transfer', { ...state, bytesDone: i })).toBe(true);
    await until(() => got.length === 50);
    expect(got).toEqual(Array.from({ length: 50 }, (_, i) => i));
    stop();
    await a.emit('transfer', state);
    await a.emit('receiver.exit', { run: 'r', exitCode: null, signal: 'SIGKILL', stderr: '' });
    await sleep(20);
    expect(got).toHaveLength(50);
  });

  test('When one closes Then both end, requests fail and handlers are aborted', async () => {
    const [a, b] = peers();
    const reason = new Promise((resolve) => {
      b.handle({
        'transfers.watch': (_, { signal }) =>
          new Promise(() => signal.addEventListener('abort', () => resolve(signal.reason))),
      });
    });
    const asked = codeOf(a.request('transfers.watch', { id: 'x' }));
    await sleep(20);
    a.close();
    a.close();
    expect(await asked).toBe('AgentUnreachable');
    expect(await a.closed).toEqual({});
    expect(await b.closed).toEqual({});
    expect(await reason).toBeInstanceOf(DrError);
    expect(await codeOf(a.request('hello', {}))).toBe('AgentUnreachable');
    expect(await a.emit('transfer', state)).toBe(false);
  });

  test('When the connection is reset Then the end says so', async () => {
    const [a] = peers();
    const asked = codeOf(a.request('hello', {}));
    far.resetAndDestroy();
    expect(await asked).toBe('AgentUnreachable');
    expect((await a.closed).error?.code).toBe('AgentUnreachable');
  });

  test('When a question or an answer is longer than a line Then only it fails', async () => {
    const [a, b] = peers({ maxLineBytes: 1000 });
    b.handle({
      'grants.list': () => ({
        grants: [{ id: 'x', line: 'x'.repeat(2000), expiresAt: '2026-11-21T00:00:00Z' }],
      }),
      'grants.close': () => ({ closed: true }),
    });
    expect(await codeOf(a.request('receivers.start', { id: 'x', argv: ['x'.repeat(2000)] }))).toBe(
      'BadRequest',
    );
    expect(await codeOf(a.request('grants.list', {}))).toBe('BadRequest');
    expect(await a.request('grants.close', { id: 'x' })).toEqual({ closed: true });
  });
});

describe('Given a peer whose other side breaks the protocol', () => {
  const hello = { t: 'request', id: 1, method: 'hello', params: {} };

  test.each<[string, (string | Buffer)[]]>([
    ['a line that is no JSON', ['hello\n']],
    ['an empty line', ['\n']],
    ['a line that is not UTF-8', [Buffer.from([0x22, 0xff, 0x22, 0x0a])]],
    ['a frame of no kind', ['{"t":"x"}\n']],
    ['a frame with more fields', ['{"t":"cancel","id":1,"x":1}\n']],
    ['an array', ['[]\n']],
    ['null', ['null\n']],
    ['an id of zero', ['{"t":"cancel","id":0}\n']],
    ['a fractional id', ['{"t":"cancel","id":1.5}\n']],
    ['a huge id', ['{"t":"cancel","id":1e300}\n']],
    ['an answer to nothing', ['{"t":"result","id":1,"result":{}}\n']],
    ['an error to nothing', ['{"t":"error","id":7,"error":{"code":"x","message":"y"}}\n']],
    ['a line that is too long', ['x'.repeat(70_000)]],
    ['a line that is too long, in pieces', Array.from({ length: 70 }, () => 'x'.repeat(1000))],
    ['a known event with wrong data', ['{"t":"event","event":"transfer","data":{}}\n']],
    ['an id used twice', [`${JSON.stringify(hello)}\n${JSON.stringify(hello)}\n`]],
    ['deep nesting', [`${'['.repeat(60_000)}\n`]],
    ['http', ['GET / HTTP/1.1\r\nHost: x\r\n\r\n']],
  ])('When it sends %s Then the connection is cut', async (_, chunks) => {
    const { peer } = bare({ maxLineBytes: 64 * 1024 });
    for (const chunk of chunks) {
      far.write(chunk);
      await sleep(0);
    }
    expect((await peer.closed).error?.code).toBe('BadRequest');
    await until(() => near.destroyed);
  });

  test('When it asks without end and never reads Then the connection is cut, memory stays small', async () => {
    const peer = new Peer(near, { maxPending: 16 });
    peer.handle({
      'grants.list': () => ({
        grants: [{ id: 'x', line: 'x'.repeat(1e5), expiresAt: '2026-11-21T00:00:00Z' }],
      }),
    });
    far.on('error', () => undefined);
    for (let id = 1; id < 5000; id++) {
      far.write(`${JSON.stringify({ t: 'request', id, method: 'grants.list', params: {} })}\n`);
    }
    expect((await peer.closed).error).toMatchObject({
      code: 'BadRequest',
      message: 'more requests than are allowed',
    });
    expect(near.writableLength).toBeLessThan(64e5);
  });

  test('When it never reads events Then the sender waits or is cut', async () => {
    const peer = new Peer(near, { maxPending: 16 });
    far.pause();
    const stderr = 'x'.repeat(50_000);
    let last: Promise<boolean> = Promise.resolve(true);
    for (let i = 0; i < 1000; i++)
      last = peer.emit('receiver.exit', { run: 'r', exitCode: 0, signal: null, stderr });
    expect(await last).toBe(false);
    expect((await peer.closed).error?.code).toBe('Timeout');
  });

  test('When an event has no name here Then it is passed over', async () => {
    const { peer, say, heard } = bare();
    say({ t: 'event', event: 'weather', data: 1 }, { t: 'event', event: '__proto__', data: 1 });
    say({ ...hello, method: 'constructor' }, { ...hello, id: 2, method: 'toString' });
    await until(() => heard.length === 2);
    expect(heard).toMatchObject([
      { t: 'error', id: 1, error: { code: 'BadRequest' } },
      { t: 'error', id: 2, error: { code: 'BadRequest' } },
    ]);
    peer.close();
  });

  test('When an answer comes twice or late Then it is dropped', async () => {
    const { peer, say, heard } = bare();
    const first = peer.request('grants.close', { id: 'x' });
    const second = peer.request('grants.close', { id: 'y' }, { timeoutMs: 10 });
    expect(await codeOf(second)).toBe('Timeout');
    await until(() => heard.length === 3);
    const result = { closed: true };
    say({ t: 'result', id: 2, result }, { t: 'result', id: 2, result }, { t: 'result', id: 1, result });
    expect(await first).toEqual(result);
    say({ t: 'error', id: 1, error: { code: 'Internal', message: 'late' } }, { t: 'cancel', id: 99 });
    say({ t: 'event', event: 'transfer', data: state });
    await new Promise((resolve) => peer.on('transfer', resolve));
    expect(heard).toMatchObject([
      { t: 'request', id: 1 },
      { t: 'request', id: 2 },
      { t: 'cancel', id: 2 },
    ]);
  });

  test('When the code of an error is unknown Then it comes out as Internal', async () => {
    const { peer, say } = bare();
    const asked = peer.request('grants.close', { id: 'x' });
    say({ t: 'error', id: 1, error: { code: 'FromTheFuture', message: 'm' } });
    await expect(asked).rejects.toMatchObject({ code: 'Internal', message: 'FromTheFuture: m' });
  });

  test('When any bytes come Then nothing but an ordered end happens', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), async (chunks) => {
        const [one, two] = await socketPair();
        const peer = new Peer(one);
        two.on('error', () => undefined);
        for (const chunk of chunks) two.write(chunk);
        two.end('\n');
        expect(['BadRequest', undefined]).toContain((await peer.closed).error?.code);
        two.destroy();
      }),
      { numRuns: 100 },
    );
  });
});
