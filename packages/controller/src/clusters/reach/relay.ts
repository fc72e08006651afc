import { BlockList, createServer, isIPv6, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import { DrError, toDrError } from '@dr-syncer/api';
import type { Logger } from '@dr-syncer/runtime';

export interface RelayOptions {
  /** At which the source's agents reach this process; absent: they don't, and nothing is relayed. */
  readonly address: string | undefined;
  /** One for each open route; 0 to 0: any free one. */
  readonly ports: { readonly first: number; readonly last: number };
  readonly logger: Pick<Logger, 'info' | 'warn'>;
}

export interface RelayTarget {
  /** For the log. */
  readonly name: string;
  /** Who may connect: addresses. */
  readonly from: readonly string[];
  readonly dial: (signal: AbortSignal) => Promise<Duplex>;
}

export interface RelayRoute {
  readonly host: string;
  readonly port: number;
  close(): void;
}

/** A transfer has one connection; while it tries again, the one before may not have been missed yet. */
const MAX_CONNECTIONS = 4;

/**
 * Brings connections of the source's agents to agents that only an API server can reach. It passes on bytes that it
 * cannot read: SSH runs from rsync's ssh to the remote agent, with that agent's pinned key. A port is open only while a
 * transfer needs it, and only to the addresses of the agent that sends.
 */
export class Relay {
  readonly #options: RelayOptions;
  readonly #open = new Set<() => void>();
  readonly #used = new Set<number>();

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  /** @throws DrError AgentUnreachable: no address to be reached at; Busy: no free port */
  async open(target: RelayTarget): Promise<RelayRoute> {
    const { address } = this.#options;
    if (address === undefined) {
      throw new DrError(
        'AgentUnreachable',
        'data can only pass through the controller when RELAY_ADDRESS (or POD_IP) says where agents reach it',
      );
    }
    const abort = new AbortController();
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true, keepAlive: true, pauseOnConnect: true }, (socket) =>
      this.#accept(socket, target, sockets, abort.signal),
    );
    server.on('error', (err) => this.#options.logger.warn('relay failed', { target: target.name, err }));
    const port = await this.#listen(server);
    const close = () => {
      if (!this.#open.delete(close)) return;
      abort.abort(new DrError('Cancelled', 'the relay was closed'));
      server.close();
      for (const socket of sockets) socket.destroy();
      this.#used.delete(port);
    };
    this.#open.add(close);
    return { host: address, port, close };
  }

  close(): void {
    for (const close of [...this.#open]) close();
  }

  async #listen(server: Server): Promise<number> {
    const { first, last } = this.#options.ports;
    for (let port = first; port <= last; port += 1) {
      if (port !== 0 && this.#used.has(port)) continue;
      this.#used.add(port);
      const got = await listen(server, port);
      if (got !== undefined) return got;
      this.#used.delete(port);
    }
    throw new DrError('Busy', `all relay ports from ${first} to ${last} are in use`);
  }

  #accept(socket: Socket, target: RelayTarget, sockets: Set<Socket>, signal: AbortSignal): void {
    const { logger } = this.#options;
    socket.on('error', () => undefined);
    const peer = socket.remoteAddress ?? '';
    if (signal.aborted || sockets.size >= MAX_CONNECTIONS || !allows(target.from, peer)) {
      logger.warn('relay refused a connection', { target: target.name, peer });
      socket.destroy();
      return;
    }
    sockets.add(socket);
    const gone = new AbortController();
    const end = () => gone.abort(new DrError('Cancelled', 'the relay was closed'));
    signal.addEventListener('abort', end, { once: true });
    socket.once('close', () => {
      sockets.delete(socket);
      signal.removeEventListener('abort', end);
      end();
    });
    target.dial(gone.signal).then(
      (far) => join(socket, far),
      (err: unknown) => {
        if (!gone.signal.aborted) {
          logger.warn('relay could not connect', { target: target.name, err: toDrError(err) });
        }
        socket.destroy();
      },
    );
  }
}

/** Backpressure both ways. An end is passed on after what came before it; a break ends both at once. */
function join(socket: Socket, far: Duplex): void {
  if (socket.destroyed) {
    far.destroy();
    return;
  }
  far.once('error', () => socket.destroy());
  far.once('close', () => {
    if (!far.readableEnded) socket.destroy();
  });
  socket.once('close', () => far.destroy());
  far.pipe(socket);
  socket.pipe(far);
}

/** Undefined: the port is taken by somebody else. */
function listen(server: Server, port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const failed = (err: NodeJS.ErrnoException) => {
      if (err.code === 'EADDRINUSE') resolve(undefined);
      else reject(err);
    };
    server.once('error', failed);
    server.listen({ port, backlog: 16 }, () => {
      server.off('error', failed);
      const bound = server.address();
      resolve(typeof bound === 'object' && bound !== null ? bound.port : port);
    });
  });
}

function allows(from: readonly string[], peer: string): boolean {
  const list = new BlockList();
  for (const address of from) list.addAddress(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  // A socket that listens for both kinds shows IPv4 as ::ffff:a.b.c.d.
  const plain = peer.replace(/^::ffff:(?=\d+\.)/i, '');
  return plain !== '' && list.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4');
}
