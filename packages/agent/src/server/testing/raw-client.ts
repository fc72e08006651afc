import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';

import ssh2, { type Client, type ClientChannel, type ConnectConfig } from 'ssh2';

/** The parts of ssh2's client that a well-behaved program has no use for. */
export interface ClientInternals {
  readonly _sock: Socket;
  readonly _protocol: {
    session(channel: number, window: number, packetSize: number): void;
    channelData(channel: number, data: Buffer): void;
    channelWindowAdjust(channel: number, bytes: number): void;
    rekey(): void;
    /** A global request that has to be answered. */
    ping(): void;
    authPK(
      user: string,
      key: unknown,
      algo: string | undefined,
      sign?: (data: Buffer, done: (s: Buffer) => void) => void,
    ): void;
    openssh_authAgent(channel: number, wantReply: boolean): void;
    _kexinit: unknown;
  };
}

export const internalsOf = (client: Client): ClientInternals => client as unknown as ClientInternals;

export interface RawTarget {
  readonly port: number;
  readonly keyFile: string;
}

/** Logs in with ssh2's client, which, unlike OpenSSH's, can be made to misbehave. */
export async function login(target: RawTarget, more: Partial<ConnectConfig> = {}): Promise<Client> {
  const privateKey = await readFile(target.keyFile);
  const client = new ssh2.Client();
  await new Promise<void>((resolve, reject) => {
    client.once('ready', resolve);
    client.once('error', reject);
    client.once('close', () => reject(new Error('closed before the login')));
    client.connect({ host: '127.0.0.1', port: target.port, username: 'drsyncer', privateKey, ...more });
  });
  client.on('error', () => undefined);
  return client;
}

/** Opens sessions with this window and packet size instead of ssh2's. */
export function announce(client: Client, window: number, packetSize = 32 * 1024): void {
  const protocol = internalsOf(client)._protocol;
  const session = protocol.session.bind(protocol);
  protocol.session = (channel) => session(channel, window, packetSize);
}

export function exec(client: Client, command: string): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    client.exec(command, (err, channel) => {
      if (err) reject(err);
      else resolve(channel);
    });
  });
}

export function closed(client: Client): Promise<void> {
  return new Promise((resolve) => client.once('close', () => resolve()));
}

/** A TCP connection; everything that comes is collected. */
export function rawConnect(
  port: number,
  localAddress?: string,
): Promise<{ socket: Socket; closed: Promise<void> }> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: '127.0.0.1',
      port,
      ...(localAddress === undefined ? {} : { localAddress }),
    });
    const gone = new Promise<void>((done) => socket.once('close', () => done()));
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.on('error', () => undefined);
      socket.resume();
      resolve({ socket, closed: gone });
    });
  });
}
