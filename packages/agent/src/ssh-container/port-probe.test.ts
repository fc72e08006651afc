import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

import { afterEach, describe, expect, test } from '@jest/globals';

import { probePort } from './port-probe.js';

describe('Given an address', () => {
  let server: Server | undefined;
  const { signal } = new AbortController();

  const listen = async (onConnection: (socket: Socket) => void): Promise<number> => {
    const made = createServer(onConnection);
    server = made;
    await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
    return (made.address() as AddressInfo).port;
  };

  afterEach(async () => {
    await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
    server = undefined;
  });

  test.each<[string, (socket: Socket) => void, object]>([
    ['an SSH server greets', (socket) => socket.write('SSH-2.0-x\r\n'), { ssh: true }],
    [
      'it greets after another line and in pieces',
      (socket) => {
        socket.write('welcome\r\nSS');
        setTimeout(() => socket.write('H-2.0-x\r\n'), 20);
      },
      { ssh: true },
    ],
    [
      'a web server says something',
      (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
      { ssh: false, problem: 'something else than an SSH server answers' },
    ],
    [
      'nobody says a word',
      (socket) => void setTimeout(() => socket.destroy(), 1_000),
      { ssh: false, problem: 'the port is open, and no SSH server greets within 0.3 s' },
    ],
  ])('When %s Then that is said', async (_what, onConnection, expected) => {
    expect(await probePort('127.0.0.1', await listen(onConnection), signal, 300)).toEqual(expected);
  });

  test('When nobody listens Then the error of the system is said', async () => {
    const port = await listen(() => undefined);
    await new Promise((resolve) => server?.close(resolve));
    server = undefined;

    expect(await probePort('127.0.0.1', port, signal)).toEqual({ ssh: false, problem: 'ECONNREFUSED' });
  });
});
