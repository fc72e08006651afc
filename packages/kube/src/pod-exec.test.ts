import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

import { Secret } from '@dr-syncer/api';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { KubeClient } from './client.js';
import { issueCertificate } from './testing/certificates.js';
import { failure } from './testing/failure.js';
import { opcode } from './websocket/frames.js';
import { serverFrame } from './websocket/testing/server-frame.js';

const target = { namespace: 'shop', pod: 'db-0', container: 'db', command: ['psql', '-c', 'a b&c=d'] };
const close = serverFrame(opcode.close, Buffer.from([0x03, 0xe8]));
const message = (channel: number, text: string): Buffer =>
  serverFrame(opcode.binary, Buffer.concat([Buffer.of(channel), Buffer.from(text)]));
const success = message(3, '{"metadata":{},"status":"Success"}');

describe('Given an API server with a container behind it', () => {
  const authority = issueCertificate({ commonName: 'authority', authority: true });
  const identity = issueCertificate({ commonName: 'server', issuer: authority, names: ['127.0.0.1'] });
  let server: Server;
  let client: KubeClient;
  let request: IncomingMessage | undefined;
  const sockets: Duplex[] = [];
  let answer: (socket: Duplex) => void;

  const accepting =
    (...frames: Buffer[]) =>
    (socket: Duplex): void => {
      const key = String(request?.headers['sec-websocket-key']);
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n' +
          `sec-websocket-accept: ${accept}\r\nsec-websocket-protocol: v4.channel.k8s.io\r\n\r\n`,
      );
      for (const frame of frames) socket.write(frame);
    };

  beforeEach(async () => {
    request = undefined;
    server = createServer({ cert: identity.cert, key: identity.key });
    server.on('upgrade', (asked, socket) => {
      request = asked;
      sockets.push(socket);
      socket.on('error', () => undefined);
      answer(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    client = new KubeClient({
      ...{ server: `https://127.0.0.1:${port}`, ca: authority.cert },
      token: new Secret('a-token-that-must-not-leak'),
    });
  });
  afterEach(async () => {
    await client.close();
    for (const socket of sockets.splice(0)) socket.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  test('When a command is run Then its words arrive as they are, and its end is known', async () => {
    answer = accepting(message(1, ''), message(2, 'warning'), message(1, 'output'), success, close);
    const exec = await client.exec(target);

    expect(await exec.ended).toEqual({ kind: 'Exited', exitCode: 0 });
    const url = new URL(request?.url ?? '', 'https://server');
    expect(url.pathname).toBe('/api/v1/namespaces/shop/pods/db-0/exec');
    expect(url.searchParams.getAll('command')).toEqual(target.command);
    expect(url.searchParams.get('container')).toBe('db');
    expect(url.searchParams.get('stdin')).toBeNull();
  });

  test('When the connection ends before the command Then nobody says that it went well', async () => {
    answer = (socket) => {
      accepting(message(1, 'output'))(socket);
      socket.end();
    };
    const { ended } = await client.exec(target);

    await expect(ended).rejects.toMatchObject({ reason: 'ConnectionReset' });
  });

  test('When the server refuses Then it was not begun, and it says why', async () => {
    const body = JSON.stringify({
      ...{ kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Forbidden', code: 403 },
      message: 'pods "db-0" is forbidden: User "x" cannot get resource "pods/exec"',
    });
    answer = (socket) => {
      socket.end(
        `HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
    };
    const err = await failure(client.exec(target));

    expect(err).toMatchObject({ status: 403 });
    expect(String(err)).not.toContain('must-not-leak');
  });

  test('When nobody waits any more Then the connection is closed', async () => {
    const gone = new Promise<void>((resolve) => {
      answer = (socket) => {
        socket.once('close', () => resolve());
        socket.resume();
        accepting()(socket);
      };
    });
    const exec = await client.exec(target);
    exec.close();
    await gone;

    await expect(exec.ended).rejects.toMatchObject({ reason: 'ConnectionReset' });
  });
});
