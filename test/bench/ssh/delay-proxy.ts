import { connect, createServer, type Socket } from 'node:net';

interface Waiting {
  readonly due: number;
  readonly chunk: Buffer | null;
}

/** What a connection with a limit may have on its way before its sender is held up. */
const AHEAD_MS = 100;

/** Passes on what comes from `from` to `to`, each byte `delayMs` later, in order, and no faster than that. */
function delayed(from: Socket, to: Socket, delayMs: number, bytesPerSecond: number): void {
  let freeAt = 0;
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
    const now = performance.now();
    freeAt = Math.max(freeAt, now) + ((chunk?.length ?? 0) / bytesPerSecond) * 1000;
    queue.push({ due: freeAt + delayMs, chunk });
    timer ??= setTimeout(flush, freeAt - now + delayMs);
    if (freeAt - now < AHEAD_MS || chunk === null) return;
    from.pause();
    setTimeout(() => from.resume(), freeAt - now - AHEAD_MS / 2);
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
  /** What each connection gets in either direction; default: no limit. */
  readonly bytesPerSecond?: number;
}

/** A long line to a port: `rttMs` there and back. */
export async function startDelayProxy(
  targetPort: number,
  rttMs: number,
  options: DelayProxyOptions = {},
): Promise<DelayProxy> {
  const { host = '127.0.0.1', listen = { host: '127.0.0.1', port: 0 } } = options;
  const { bytesPerSecond = Number.POSITIVE_INFINITY } = options;
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const upstream = connect({ port: targetPort, host, allowHalfOpen: true, noDelay: true });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    }
    delayed(client, upstream, rttMs / 2, bytesPerSecond);
    delayed(upstream, client, rttMs / 2, bytesPerSecond);
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
