import { connect, type Socket } from 'node:net';

import { Peer } from '@dr-syncer/ssh';

/** @throws the error of connect(2) */
export function connectSocket(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Asks a mover over its own socket, as the `ssh` container does. @throws the error of connect(2) */
export async function connectMover(path: string): Promise<Peer> {
  const peer = new Peer(await connectSocket(path), { requestTimeoutMs: 600_000 });
  peer.handle({});
  return peer;
}
