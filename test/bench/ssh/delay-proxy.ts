import { connect, createServer, type Socket } from 'node:net';

interface Waiting {
  readonly due: number;
  readonly chunk: Buffer | null;
}

/** Passes on what comes from `from` to `to`, each byte `delayMs` later and in order. */
function delayed(from: Socket, to: Socket, delayMs: number): void {
  const queue: Waiting[] = [];
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    timer = undefined;
    const now = performance.now();
    // What is due together goes in one call: the line must not be what the figures are about.
    to.cork();
    for (let next = queue[0]; next !== undefined && next.due <= now; next = queue[0]) {
      queue.shift();
      if (next.chunk === null) to.end();
      else to.write(next.chunk);
    }
    to.uncork();
    const next = queue[0];
    if (next !== undefined) timer = setTimeout(flush, Math.max(0, next.due - now));
  };
  const add = (chunk: Buffer | null) => {
    queue.push({ due: performance.now() + delayMs, chunk });
    timer ??= setTimeout(flush, delayMs);
  };
  from.on('data', add);
  from.on('end', () => add(null));
  from.on('error', () => to.destroy());
  from.on('close', () => {
    if (!from.readableEnded) to.destroy();
  });
}

export interface DelayProxy {
  readonly port: number;
  readonly close: () => Promise<void>;
}

export interface DelayProxyOptions {
  /** Of the target; default: this machine. */
  readonly host?: string;
  /** Where to listen; default: loopback, any port. */
  readonly listen?: { readonly host: string; readonly port: number };
}

/** A long line to a port: `rttMs` there and back, no limit of bandwidth. */
export async function startDelayProxy(
  targetPort: number,
  rttMs: number,
  { host = '127.0.0.1', listen = { host: '127.0.0.1', port: 0 } }: DelayProxyOptions = {},
): Promise<DelayProxy> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const upstream = connect({ port: targetPort, host, allowHalfOpen: true, noDelay: true });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    }
    delayed(client, upstream, rttMs / 2);
    delayed(upstream, client, rttMs / 2);
  });
  await new Promise<void>((resolve) => server.listen(listen.port, listen.host, resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
