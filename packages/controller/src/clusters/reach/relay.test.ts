import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';

import { Relay, type RelayTarget } from './relay.js';

const logger = { info: jest.fn(), warn: jest.fn() };

describe('Given a relay', () => {
  let relay: Relay;
  let far: Server;
  let farSockets: Socket[];
  let clients: Socket[];

  const portOf = (server: Server) => (server.address() as { port: number }).port;
  const target = (over: Partial<RelayTarget> = {}): RelayTarget => ({
    name: 'remote/node',
    from: ['127.0.0.1'],
    dial: () => Promise.resolve(connect(portOf(far), '127.0.0.1')),
    ...over,
  });
  const dial = (port: number): Socket => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    clients.push(socket);
    return socket;
  };
  const ended = (socket: Socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const text = async (socket: Socket): Promise<string> => {
    let all = '';
    socket.on('data', (chunk: Buffer) => (all += chunk.toString()));
    await ended(socket);
    return all;
  };

  beforeEach(async () => {
    relay = new Relay({ address: '127.0.0.1', ports: { first: 0, last: 0 }, logger });
    clients = [];
    farSockets = [];
    far = createServer((socket) => {
      farSockets.push(socket);
      socket.on('error', () => undefined);
      socket.write('hello ');
      socket.on('data', (chunk) => socket.end(`you said ${chunk.toString()}`));
    });
    await new Promise<void>((resolve) => far.listen(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    relay.close();
    for (const socket of [...clients, ...farSockets]) socket.destroy();
    await new Promise((resolve) => far.close(resolve));
  });

  test('When an allowed address connects Then bytes go both ways to the last one', async () => {
    const route = await relay.open(target());
    const socket = dial(route.port);
    const all = text(socket);
    socket.write('hi');

    expect(await all).toBe('hello you said hi');
    expect(route.host).toBe('127.0.0.1');
  });

  test('When another address connects Then not a byte goes on', async () => {
    const dialled = jest.fn(target().dial);
    const route = await relay.open(target({ from: ['10.0.0.1', 'fd00::1'], dial: dialled }));

    expect(await text(dial(route.port))).toBe('');
    expect(dialled).not.toHaveBeenCalled();
  });

  test('When the far end cannot be reached Then the connection ends', async () => {
    const route = await relay.open(target({ dial: () => Promise.reject(new Error('no way')) }));

    expect(await text(dial(route.port))).toBe('');
  });

  test('When the route is closed meanwhile Then dialling stops', async () => {
    const dialling = new Promise<AbortSignal>((resolve) => {
      const dialled = (signal: AbortSignal) => {
        resolve(signal);
        return new Promise<never>(() => undefined);
      };
      void relay.open(target({ dial: dialled })).then((route) => {
        dial(route.port);
        void dialling.then(() => route.close());
      });
    });

    const signal = await dialling;
    await delay(20);
    expect(signal.aborted).toBe(true);
  });

  test('When the route is closed Then connections end and the port is shut', async () => {
    const route = await relay.open(target());
    const socket = dial(route.port);
    const end = ended(socket);
    await new Promise((resolve) => socket.once('data', resolve));
    route.close();

    await end;
    expect(await text(dial(route.port))).toBe('');
  });

  test('When more connect than one transfer needs Then the rest is refused', async () => {
    const route = await relay.open(target({ dial: () => new Promise(() => undefined) }));
    const many = Array.from({ length: 8 }, () => dial(route.port));
    let closed = 0;
    for (const socket of many) socket.once('close', () => (closed += 1));

    for (let tries = 0; closed < 4 && tries < 200; tries += 1) await delay(10);
    await delay(50);
    expect(closed).toBe(4);
  });

  test('When no port is free Then it says so, and a closed route gives its port back', async () => {
    const first = await relay.open(target());
    const one = new Relay({ address: '127.0.0.1', ports: { first: first.port, last: first.port }, logger });

    await expect(one.open(target())).rejects.toMatchObject({ code: 'Busy' });
    first.close();
    await delay(20);
    const again = await one.open(target());
    expect(again.port).toBe(first.port);
    again.close();
  });

  test('When nobody knows where this process is reached Then it says what to set', async () => {
    const nowhere = new Relay({ address: undefined, ports: { first: 0, last: 0 }, logger });

    await expect(nowhere.open(target())).rejects.toThrow('RELAY_ADDRESS');
  });
});
