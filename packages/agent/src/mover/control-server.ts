import { chmod, chown } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';

import type { Logger, MetricFamily } from '@dr-syncer/runtime';
import { type Handlers, type Params, Peer, type Result } from '@dr-syncer/ssh';

import type { Permissions } from './permissions/permissions.js';
import type { ReceiverOwner, Receivers } from './receivers/receivers.js';
import type { Transfers } from './transfers/transfers.js';
import type { Surveys } from './surveys/surveys.js';
import { watchTransfer } from './transfers/watch.js';
import type { VolumeLocator } from './volumes/locate.js';

export interface ControlServerOptions {
  readonly socketPath: string;
  /** Whose processes may connect, besides root's. */
  readonly gid: number;
  readonly locator: VolumeLocator;
  readonly receivers: Receivers;
  readonly transfers: Transfers;
  readonly measure: (
    params: Params<'volumes.measure'>,
    signal: AbortSignal,
  ) => Promise<Result<'volumes.measure'>>;
  readonly surveys: Surveys;
  readonly permissions: Permissions;
  readonly hello: () => Result<'hello'>;
  readonly metrics: () => Promise<MetricFamily[]>;
  readonly logger: Logger;
}

/** There is one `ssh` container; while it restarts its old connection may still be there. */
const MAX_PEERS = 4;

/** Answers the `ssh` container of the same pod. What it opened goes with its connection; transfers go on. */
export class MoverControlServer {
  readonly #options: ControlServerOptions;
  readonly #server: Server;
  readonly #peers = new Set<Peer>();

  constructor(options: ControlServerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#serve(socket));
    this.#server.maxConnections = MAX_PEERS;
    // Accepting may fail for a while (no descriptors left); an error that nobody listens to would end the process.
    this.#server.on('error', (err) => options.logger.warn('control socket failed', { err }));
  }

  /** @throws the error of listen(2), chown(2) */
  async listen(): Promise<void> {
    const { socketPath, gid } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(socketPath, resolve);
    });
    await chown(socketPath, 0, gid);
    await chmod(socketPath, 0o660);
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    for (const peer of this.#peers) peer.close();
    await Promise.all([...this.#peers].map((peer) => peer.closed));
    if (this.#server.listening) await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #serve(socket: Socket): void {
    const { logger, receivers } = this.#options;
    const peer = new Peer(socket);
    const owner: ReceiverOwner = { onExit: (exit) => void peer.emit('receiver.exit', exit) };
    peer.handle(this.#handlers(peer, owner));
    this.#peers.add(peer);
    logger.info('ssh container connected');
    void peer.closed.then(async ({ error }) => {
      this.#peers.delete(peer);
      logger.info('ssh container disconnected', { err: error });
      await receivers.closeOwner(owner);
    });
  }

  #handlers(peer: Peer, owner: ReceiverOwner): Handlers {
    const { locator, receivers, transfers, surveys, permissions, hello, metrics } = this.#options;
    return {
      hello,
      metrics: async () => ({ families: await metrics() }),
      'volumes.locate': (ref) => locator.locate(ref),
      'volumes.measure': (params, { signal }) => this.#options.measure(params, signal),
      'volumes.survey': (params, { signal }) => surveys.survey(params, signal),
      'surveys.keep': async (params) => ({ kept: await surveys.keep(params) }),
      'receivers.open': (grant) => receivers.open(owner, grant),
      'receivers.close': async ({ id }) => ({ closed: await receivers.close(owner, id) }),
      'receivers.start': (params) => receivers.start(owner, params),
      'receivers.kill': ({ run }) => ({ killed: receivers.kill(owner, run) }),
      'transfers.prepare': (params) => transfers.prepare(params),
      'transfers.start': (params) => transfers.start(params),
      'transfers.get': ({ id }) => transfers.get(id).state(),
      'transfers.list': () => ({ transfers: transfers.list() }),
      'transfers.watch': ({ id }, { signal }) =>
        watchTransfer(transfers.get(id), (state) => peer.emit('transfer', state), signal),
      'permissions.apply': (params, { signal }) =>
        permissions.apply(params, (state) => void peer.emit('permissions', state), signal),
      'transfers.cancel': ({ id }) => transfers.get(id).cancel(),
      'transfers.forget': async ({ id }) => ({ forgotten: await transfers.forget(id) }),
    };
  }
}
