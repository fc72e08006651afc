import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Secret } from '@dr-syncer/api';

import { KubeClient } from './client.js';
import { KubeError, kubeToDrError } from './kube-error.js';
import { issueCertificate } from './testing/certificates.js';
import { eventually } from './testing/eventually.js';
import { failure } from './testing/failure.js';
import { opcode } from './websocket/frames.js';
import { serverFrame } from './websocket/testing/server-frame.js';

const target = { namespace: 'dr-syncer-system', pod: 'agent-x', port: 2222 };
const PREAMBLE = Buffer.from([2222 & 0xff, 2222 >> 8]);

/** A kubelet's end, as far as these tests need one. */
class Kubelet {
  readonly #socket: Duplex;
  #received = Buffer.alloc(0);
  ended = false;

  constructor(socket: Duplex) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => (this.#received = Buffer.concat([this.#received, chunk])));
    socket.on('end', () => (this.ended = true));
    socket.on('error', () => undefined);
    for (const channel of [0, 1]) this.send(channel, PREAMBLE);
  }

  get socket(): Duplex {
    return this.#socket;
  }

  send(channel: number, text: string | Buffer): boolean {
    return this.raw(serverFrame(opcode.binary, Buffer.concat([Buffer.of(channel), Buffer.from(text)])));
  }

  raw(bytes: Buffer): boolean {
    return this.#socket.write(bytes);
  }

  /** Payloads of the client's frames so far, unmasked. */
  get received(): { code: number; payload: Buffer }[] {
    const frames: { code: number; payload: Buffer }[] = [];
    for (let at = 0; at + 6 <= this.#received.length;) {
      const short = this.#received[at + 1]! & 0x7f;
      const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
      const length =
        short === 126
          ? this.#received.readUInt16BE(at + 2)
          : short === 127
            ? Number(this.#received.readBigUInt64BE(at + 2))
            : short;
      const from = at + 6 + extended;
      const key = this.#received.subarray(from - 4, from);
      if (from + length > this.#received.length) break;
      frames.push({
        code: this.#received[at]! & 0x0f,
        payload: this.#received
          .subarray(from, from + length)
          .map((byte, index) => byte ^ key[index & 3]!) as Buffer,
      });
      at = from + length;
    }
    return frames;
  }

  get text(): string {
    return Buffer.concat(
      this.received.filter((one) => one.code === 2).map((one) => one.payload.subarray(1)),
    ).toString();
  }
}

describe('Given an API server with a pod behind it', () => {
  const authority = issueCertificate({ commonName: 'authority', authority: true });
  const identity = issueCertificate({ commonName: 'server', issuer: authority, names: ['127.0.0.1'] });
  let server: Server;
  let client: KubeClient;
  let request: IncomingMessage | undefined;
  let kubelet: Kubelet | undefined;
  let answer: (request: IncomingMessage, socket: Duplex) => void;

  const accept = (headers: Record<string, string> = {}) => {
    answer = (asked, socket) => {
      const key = String(asked.headers['sec-websocket-key']);
      const hash = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      const all = {
        upgrade: 'websocket',
        connection: 'Upgrade',
        'sec-websocket-accept': hash,
        'sec-websocket-protocol': 'v4.channel.k8s.io',
        ...headers,
      };
      const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`);
      kubelet = new Kubelet(socket);
    };
  };

  beforeEach(async () => {
    accept();
    server = createServer({ cert: identity.cert, key: identity.key });
    server.on('upgrade', (asked, socket) => {
      request = asked;
      answer(asked, socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    client = new KubeClient({
      server: `https://127.0.0.1:${port}/prefix`,
      ca: authority.cert,
      token: new Secret('a-token-that-must-not-leak'),
    });
  });
  afterEach(async () => {
    kubelet?.socket.destroy();
    await client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const open = async (): Promise<Duplex> => {
    const stream = await client.portForward(target);
    stream.on('error', () => undefined);
    return stream;
  };
  const ended = (stream: Duplex) =>
    new Promise<unknown>((resolve) => {
      stream.once('error', resolve);
      stream.once('close', () => resolve(undefined));
    });

  test('When a port is forwarded Then bytes go both ways and the preambles are not among them', async () => {
    const stream = await open();
    stream.write('from us');
    kubelet!.send(0, 'from them');
    kubelet!.send(0, ' too');

    let read = '';
    stream.on('data', (chunk: Buffer) => (read += chunk.toString()));
    await eventually(() => read === 'from them too' && kubelet!.text === 'from us', 'the bytes to arrive');
    expect(request?.url).toBe(
      '/prefix/api/v1/namespaces/dr-syncer-system/pods/agent-x/portforward?ports=2222',
    );
    expect(request?.headers).toMatchObject({
      authorization: 'Bearer a-token-that-must-not-leak',
      'sec-websocket-protocol': 'v4.channel.k8s.io',
    });
    stream.destroy();
  });

  test('When a lot is written Then it arrives whole', async () => {
    const stream = await open();
    const much = 'x'.repeat(1_000_000);
    stream.write(much);

    await eventually(() => kubelet!.text.length === much.length, 'all to arrive');
    expect(kubelet!.text).toBe(much);
    expect(Math.max(...kubelet!.received.map((one) => one.payload.length))).toBeLessThanOrEqual(65_537);
    stream.destroy();
  });

  test('When nobody reads Then the peer is held back instead of being kept in memory', async () => {
    const stream = await open();
    const piece = Buffer.alloc(64 * 1024);
    let sent = 0;
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        if (kubelet!.send(0, piece)) sent += piece.length;
        else if (kubelet!.socket.writableLength > 4_000_000) {
          clearInterval(timer);
          resolve();
        } else sent += piece.length;
      }, 1);
    });

    expect(stream.readableLength).toBeLessThan(1_000_000);
    let read = 0;
    stream.on('data', (chunk: Buffer) => (read += chunk.length));
    await eventually(() => read > sent, 'the rest to be read');
    stream.destroy();
  });

  test('When the kubelet cannot connect Then the stream ends with its reason', async () => {
    const stream = await open();
    const end = ended(stream);
    stream.resume();
    kubelet!.send(1, 'error forwarding port 2222 to pod: ');
    kubelet!.send(1, 'connection refused');
    kubelet!.raw(serverFrame(opcode.close, Buffer.from([3, 232])));

    const err = await end;
    expect(err).toBeInstanceOf(KubeError);
    expect((err as Error).message).toContain('error forwarding port 2222 to pod: connection refused');
    expect(kubeToDrError(err).code).toBe('RemoteUnreachable');
  });

  test('When the peer closes Then the stream ends without an error', async () => {
    const stream = await open();
    const end = ended(stream);
    stream.resume();
    kubelet!.raw(serverFrame(opcode.close, Buffer.alloc(0)));

    expect(await end).toBeUndefined();
  });

  test('When the connection breaks Then the stream ends', async () => {
    const stream = await open();
    const end = ended(stream);
    stream.resume();
    kubelet!.socket.destroy();

    await end;
    expect(stream.destroyed).toBe(true);
  });

  test('When a ping comes Then it is answered', async () => {
    const stream = await open();
    kubelet!.raw(serverFrame(opcode.ping, Buffer.from('beat')));
    stream.resume();

    await eventually(() => kubelet!.received.some((one) => one.code === opcode.pong), 'a pong');
    expect(kubelet!.received.find((one) => one.code === opcode.pong)?.payload.toString()).toBe('beat');
    stream.destroy();
  });

  test('When the stream is ended Then a close frame is sent', async () => {
    const stream = await open();
    stream.end('last');

    await eventually(() => kubelet!.ended, 'the end');
    expect(kubelet!.received.map((one) => one.code)).toEqual([opcode.binary, opcode.close]);
  });

  test.each([
    ['bytes that are no frames', Buffer.alloc(10, 0xff)],
    ['a channel that is not open', serverFrame(opcode.binary, Buffer.from([7, 1, 2, 3]))],
  ])('When the server sends %s Then the stream fails', async (_what, bytes) => {
    const stream = await open();
    const end = ended(stream);
    stream.resume();
    kubelet!.raw(bytes);

    expect(await end).toBeInstanceOf(KubeError);
  });

  test('When the server refuses Then its words and the permission are in the error', async () => {
    const message = 'pods "agent-x" is forbidden: User "u" cannot create resource "pods/portforward"';
    const body = JSON.stringify({ kind: 'Status', code: 403, reason: 'Forbidden', message });
    answer = (_asked, socket) =>
      socket.end(
        `HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );

    const err = await failure(client.portForward(target));

    expect(err.message).toContain('cannot create resource "pods/portforward"');
    expect(kubeToDrError(err).code).toBe('PermissionMissing');
  });

  test.each([
    ['another protocol', { 'sec-websocket-protocol': 'v9' }],
    ['a wrong answer to the key', { 'sec-websocket-accept': 'x' }],
    ['an extension', { 'sec-websocket-extensions': 'permessage-deflate' }],
  ])('When the server answers with %s Then it is no connection', async (_what, headers) => {
    accept(headers);

    expect((await failure(client.portForward(target))).reason).toBe('BadResponse');
  });

  test('When the server does not answer Then it ends in time, and at once when it is cancelled', async () => {
    answer = () => undefined;

    expect((await failure(client.portForward(target, { timeoutMs: 100 }))).reason).toBe('Timeout');
    const reason = new KubeError('cancelled', { status: 0, reason: 'Closed' });
    await expect(client.portForward(target, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test('When the server cannot be reached Then it says so', async () => {
    const nobody = new KubeClient({ server: 'https://127.0.0.1:9', ca: authority.cert });

    expect((await failure(nobody.portForward(target))).reason).toBe('ConnectionFailed');
    await nobody.close();
  });
});
